"""The roles of the processes that are connected to PostgreSQL. Each process sets its role as `application_name`."""

from __future__ import annotations

from psycopg.conninfo import make_conninfo

from events.postgres.connections import Pool

from .database import fetch

_PREFIX = "minitwitter "


def named(url: str, role: str) -> str:
    """Return the address to which processes of a role connect. Raises psycopg.ProgrammingError if `url` is invalid."""
    return make_conninfo(url, application_name=_PREFIX + role)


async def connected(pool: Pool) -> frozenset[str]:
    """Return the roles that have a connection to this database. Raises StoreUnavailable."""
    rows = await fetch(
        pool,
        "SELECT DISTINCT application_name FROM pg_stat_activity"
        " WHERE datname = current_database() AND starts_with(application_name, %s)",
        (_PREFIX,),
    )
    return frozenset(name.removeprefix(_PREFIX) for (name,) in rows)
