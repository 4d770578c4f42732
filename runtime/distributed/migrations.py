"""Migrates every store that has tables: the decision state and search in PostgreSQL, read models in Cassandra.

Every process checks at its start that this was done.
"""

from __future__ import annotations

import dataclasses

from command_api.postgres.migrating import migrate as migrate_decisions
from command_api.postgres.migrating import pending
from events.log import NotSetUp
from events.postgres.connections import Pool, run
from runtime.distributed.models.catalogue import CASSANDRA, SEARCHES
from runtime.distributed.models.generations import Generations
from runtime.distributed.settings import PostgresSettings
from runtime.settings import Settings
from stores.cassandra import migrating as cassandra
from stores.cassandra.address import Address
from stores.cassandra.session import CassandraSession
from stores.postgres.database import Database
from stores.postgres.pointers import Pointers


class NotMigrated(NotSetUp):
    """The tables of a database are older than this software."""


async def migrate(settings: Settings) -> dict[str, list[str]]:
    """Migrate, and return the applied migrations by store. Raises NotSetUp if an applied file has changed,
    LogUnavailable, StoreUnavailable.
    """
    url = PostgresSettings.of(settings).postgres
    applied = {"decisions": await migrate_decisions(url), "pointers": await Pointers(url).migrate()}
    pointers = await Pointers(url).read()
    search = pointers[SEARCHES].generation if SEARCHES in pointers else Database(url).schema
    applied["search"] = await Database(url, search).migrate()
    if settings.cassandra_url is not None:
        address = Address.parse(settings.cassandra_url.get_secret_value())
        keyspace = pointers[CASSANDRA].generation if CASSANDRA in pointers else address.keyspace
        applied["cassandra"] = await cassandra.migrate(
            dataclasses.replace(address, keyspace=keyspace), replicas=settings.cassandra_replicas
        )
    return applied


async def check_migrated(pool: Pool) -> None:
    """Check that PostgreSQL has this software's tables of the decision state. Raises NotMigrated, LogUnavailable."""
    waiting = await run(pool, pending)
    if waiting:
        raise NotMigrated(f"PostgreSQL lacks {', '.join(waiting)}; run `minitwitter migrate`")


async def check_read_models(postgres_url: str, generations: Generations, session: CassandraSession) -> None:
    """Check that the read models' tables are those of this software. Raises NotMigrated, StoreUnavailable."""
    keyspace, database = generations.address.keyspace, generations.database
    lacking = {
        "PostgreSQL": await Pointers(postgres_url).pending(),
        f"PostgreSQL's schema {database.schema}": await database.pending(),
        f"Cassandra's keyspace {keyspace}": await cassandra.pending(session, keyspace),
    }
    if any(lacking.values()):
        told = "; ".join(f"{store} lacks {', '.join(names)}" for store, names in lacking.items() if names)
        raise NotMigrated(f"{told}; run `minitwitter migrate`")
