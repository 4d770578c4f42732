"""Migrating every store that has tables: decisions and search in PostgreSQL, read models in Cassandra."""

from __future__ import annotations

from command_api.postgres.migrating import migrate as migrate_decisions
from runtime.settings import Settings
from stores.cassandra.address import Address
from stores.cassandra.migrating import migrate as migrate_cassandra
from stores.postgres.database import Database

from .process import required


async def migrate(settings: Settings) -> dict[str, list[str]]:
    """What was applied, by store. Raises NotSetUp where a file was changed since, LogUnavailable, StoreUnavailable."""
    required(settings, "postgres_url")
    assert settings.postgres_url is not None
    url = settings.postgres_url.get_secret_value()
    applied = {"decisions": await migrate_decisions(url), "search": await Database(url).migrate()}
    if settings.cassandra_url is not None:
        applied["cassandra"] = await migrate_cassandra(
            Address.parse(settings.cassandra_url.get_secret_value()), replicas=settings.cassandra_replicas
        )
    return applied
