"""The read models of the distributed profile: each projector of the catalogue with its store's tables.

A group's rows and positions are in one store, so an unreachable store stops no group of another store.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from events.topics import DERIVED
from projectors.catalogue import READ_MODELS, SAY_AS_OF, ProjectorEntry
from projectors.projector import Projector
from stores.cassandra.model import Model as CassandraModel
from stores.groups import COUNTS, HOME, SEARCH, STREAMS, TIMELINES, TRENDS
from stores.postgres.model import Model as PostgresModel
from stores.readers import READ_PORTS, models_of
from streams.catalogue import DERIVATIONS
from streams.stream import Stream

CASSANDRA, COUNTERS, SEARCHES = "cassandra", "redis", "postgres"
STORES: Mapping[str, tuple[str, ...]] = {
    CASSANDRA: (TIMELINES, STREAMS, HOME),
    COUNTERS: (COUNTS,),
    SEARCHES: (SEARCH, TRENDS),
}
"""The groups of each store. They are rebuilt together, because they read each other's rows or share tables.

A store has the name of its adapters' folder.
"""
_STORE_OF = {group: store for store, groups in STORES.items() for group in groups}
_GROUPS = tuple(_STORE_OF)
WORKERS: Mapping[str, tuple[str, ...]] = {
    "projectors": (TIMELINES, COUNTS, SEARCH, HOME),
    "streams": (STREAMS, TRENDS),
}
"""The groups that each command `minitwitter work` hosts; `work all` hosts all of them."""


def listed(*groups: str) -> tuple[ProjectorEntry, ...]:
    """Return the entries of the catalogue that these groups run."""
    return tuple(one for one in READ_MODELS if one.distributed in groups)


def group_of(model: str) -> str:
    """Return the group that fills a read model."""
    [group] = [one.distributed for one in READ_MODELS if one.projector.model == model]
    return group


def declared(one: ProjectorEntry) -> Any:
    """Return the MODEL of the adapter that stores a read model."""
    return import_module(f"stores.{_STORE_OF[one.distributed]}.{one.projector.model}").MODEL


def on_cassandra() -> dict[str, CassandraModel[Any, Any]]:
    """The read models in Cassandra, by name."""
    return {one.projector.model: declared(one) for one in listed(*STORES[CASSANDRA])}


def on_postgres() -> dict[str, PostgresModel[Any, Any]]:
    """The read models in PostgreSQL, by name."""
    return {one.projector.model: declared(one) for one in listed(*STORES[SEARCHES])}


def processors(group: str) -> tuple[type[Projector] | type[Stream], ...]:
    """Return the projectors and streams of a group."""
    return (
        *(one.projector for one in listed(group)),
        *(one.stream for one in DERIVATIONS if one.distributed == group),
    )


TOPICS: Mapping[str, frozenset[str]] = {
    group: frozenset[str]().union(*(each.topics() for each in processors(group))).difference(DERIVED)
    for group in _GROUPS
    if group != HOME
}
"""The source topics of each group, for processes that read its positions and do not run it."""
VERSIONS: Mapping[str, Mapping[str, int]] = {
    group: {one.projector.model: one.projector.version for one in listed(group)} for group in _GROUPS
}
"""The read models of each group, and the version of each projector."""


def _waited_for(port: str) -> tuple[str, ...]:
    groups = {group_of(model): None for model in models_of(port) if model not in SAY_AS_OF}
    # Home timelines are no read model: they cache rows of other groups.
    return (*groups, HOME) if port == "home_feed" else tuple(groups)


GROUPS_OF: Mapping[str, tuple[str, ...]] = {port: _waited_for(port) for port in READ_PORTS}
"""The groups whose positions a read of each port waits for."""
