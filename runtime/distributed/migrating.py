"""Migrating every store that has tables: decisions and search in PostgreSQL, read models in Cassandra."""

from __future__ import annotations

import dataclasses

from command_api.postgres.migrating import migrate as migrate_decisions
from runtime.settings import Settings
from stores.cassandra.address import Address
from stores.cassandra.migrating import migrate as migrate_cassandra
from stores.postgres.database import Database
from stores.postgres.pointers import Pointers

from .places import CASSANDRA, SEARCHES
from .process import required


async def migrate(settings: Settings) -> dict[str, list[str]]:
    """What was applied, by store. Raises NotSetUp where a file was changed since, LogUnavailable, StoreUnavailable."""
    required(settings, "postgres_url")
    assert settings.postgres_url is not None
    url = settings.postgres_url.get_secret_value()
    applied = {"decisions": await migrate_decisions(url), "pointers": await Pointers(url).migrate()}
    pointers = await Pointers(url).read()
    search = pointers[SEARCHES].place if SEARCHES in pointers else Database(url).schema
    applied["search"] = await Database(url, search).migrate()
    if settings.cassandra_url is not None:
        address = Address.parse(settings.cassandra_url.get_secret_value())
        keyspace = pointers[CASSANDRA].place if CASSANDRA in pointers else address.keyspace
        applied["cassandra"] = await migrate_cassandra(
            dataclasses.replace(address, keyspace=keyspace), replicas=settings.cassandra_replicas
        )
    return applied
