"""The groups of processors of views.db: which there are, and how one is put together for a choice of generations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from events.codec import Codec
from events.log import New
from events.sealing import Sealer
from events.sqlite.keys import SqliteKeys
from events.sqlite.log import LogInserter, LogTable, create_topics
from events.topics import DERIVED
from projectors.projector import Projector
from projectors.user_timelines import UserTimelines
from runtime.processing import Group
from stores.sqlite.user_timelines import USER_TIMELINES, SqliteUserTimelineRows
from stores.sqlite.views import SqliteSink, Tables, Views
from streams.stream import Stream

from .applied import ANALYTICS, SERVING

TABLES: dict[str, tuple[Tables, ...]] = {SERVING: (USER_TIMELINES,), ANALYTICS: ()}


def _projectors(views: Views, names: Mapping[str, str]) -> list[Projector]:
    return [UserTimelines(SqliteUserTimelineRows(views.connection, names))]


def _streams(views: Views, names: Mapping[str, str]) -> list[Callable[[Callable[[New], None]], Stream]]:
    return []


def models(group: str) -> tuple[str, ...]:
    """The read models of a group."""
    return tuple(tables.model for tables in TABLES[group])


def group_of(model: str) -> str:
    """The group that a read model belongs to."""
    return next(group for group in TABLES if model in models(group))
