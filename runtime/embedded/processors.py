"""Builds the groups of processors of views.db, for given generations."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from events.codec import Codec
from events.ids import Clock, wall_clock
from events.sealing import Sealer
from events.sqlite.connection import UNAVAILABLE
from events.sqlite.keys import SqliteKeys
from events.sqlite.log import LogInserter
from events.sqlite.records import LogTable, create_topics
from events.topics import DERIVED
from projectors.projector import Projector
from runtime.discards import Discarded, Discards
from runtime.processor_group import Group
from stores.sqlite.damage import ViewsDamaged
from stores.sqlite.dead_letters import SqliteDeadLetters
from stores.sqlite.sink import SqliteSink
from stores.sqlite.views import Views

from .models import ALL_TABLES, GROUPS, STREAMS, Derivation, ReadModel, projectors, streams

NO_RECORDS_DOING = (*UNAVAILABLE, ViewsDamaged)
"""Errors of a handler that no record causes: the disk refuses, or views.db is damaged."""


class UnknownModel(Exception):
    """There is no read model of this name."""

    def __init__(self, model: str) -> None:
        super().__init__(f"there is no read model {model}; there are {', '.join(t.model for t in ALL_TABLES)}")


def group_of(model: str) -> str:
    """Return the group of a read model. Raises UnknownModel."""
    for group, models in GROUPS.items():
        if any(m.name == model for m in models):
            return group
    raise UnknownModel(model)


class Processors:
    """Builds groups on one views.db. `sealer` is for the codec of derived topics, which have no sealed fields."""

    def __init__(self, views: Views, sealer: Sealer, partitions: int, clock: Clock = wall_clock) -> None:
        self.views = views
        self.discards = Discards()
        self._clock = clock
        connection = views.connection
        with connection:
            create_topics(connection, DERIVED, partitions)
        self._derived = LogInserter(LogTable(connection, Codec(sealer), SqliteKeys(connection, sealer)))

    def live(self, group: str) -> Group:
        """Return a group on the current generations. It stores its derived events."""
        names = self.views.names()
        return Group(
            group,
            projectors(GROUPS[group], self.views.connection, names),
            streams(STREAMS[group], self.views.connection, names),
            SqliteSink(self.views, group),
            keep=self._derived.insert,
            letters=self.letters(group),
            discarded=self.discards.of(group),
            clock=self._clock,
            unavailable=NO_RECORDS_DOING,
        )

    def letters(self, group: str) -> SqliteDeadLetters:
        """Return the dead letters of a group."""
        return SqliteDeadLetters(self.views.connection, group)

    def rebuilt(
        self, group: str, generations: Mapping[str, int], consumers: str, skipped: Discarded | None = None
    ) -> Group:
        """Return a group that fills only these read models, on these generations. It stores no derived events.

        It sets nothing aside: it stops at a record that it cannot apply, unless that is in `skipped`, or, if `skipped`
        is None, discarded.
        """
        names = self.views.names(generations)
        chosen = projectors(_only(GROUPS[group], generations), self.views.connection, names)
        return Group(
            consumers,
            chosen,
            streams(_needed(STREAMS[group], generations, chosen), self.views.connection, names),
            SqliteSink(self.views, consumers),
            discarded=self.discards.of(group) if skipped is None else skipped,
            unavailable=NO_RECORDS_DOING,
            live=group,
        )


def topics_of(processors: Processors, group: str, model: str) -> frozenset[str]:
    """Return the source topics of a read model, including those of its streams."""
    return processors.rebuilt(group, {model: processors.views.generation(model)}, "").topics


def _only(models: tuple[ReadModel, ...], chosen: Collection[str]) -> list[ReadModel]:
    return [model for model in models if model.name in chosen]


def _needed(
    derivations: tuple[Derivation, ...], models: Collection[str], chosen: Collection[Projector]
) -> list[Derivation]:
    """Return the streams with rows in these read models, and the streams without rows that feed them."""
    read = frozenset[str]().union(*(projector.topics() for projector in chosen))
    return [d for d in derivations if (d.stream.model in models if d.stream.model else d.stream.name in read)]
