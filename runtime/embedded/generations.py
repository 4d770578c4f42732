"""Generations of read models in views.db: the current one, one being built, and the one kept for going back.

A rebuild is a consumer of its own, with positions and newest ids of its own. At the switch it stands where the live
group stands, so its rows describe the old generation as well: they are kept with it, and going back is going on from
there instead of from zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from events.topics import TOPICS
from stores.sqlite.views import Views

_DDL = """
CREATE TABLE IF NOT EXISTS kept_generations (
    model TEXT PRIMARY KEY, generation INTEGER NOT NULL, version INTEGER NOT NULL, consumers TEXT NOT NULL
) WITHOUT ROWID;
"""
PREFIX = "rebuild:"


class Kept(NamedTuple):
    """A generation that was current before. `consumers` owns the positions it reflects."""

    generation: int
    version: int
    consumers: str


class Generations:
    """Makes, switches and drops generations. Every method runs within the caller's transaction or by itself."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self._connection = views.connection
        self._connection.execute(_DDL)
        self._last = 0
        self._building: set[str] = set()

    def kept(self, model: str) -> Kept | None:
        """The generation kept for going back, if there is one."""
        row: tuple[int, int, str] | None = self._connection.execute(
            "SELECT generation, version, consumers FROM kept_generations WHERE model=?", (model,)
        ).fetchone()
        return None if row is None else Kept(*row)

    def drop_unfinished(self) -> None:
        """Remove what a rebuild left that came to no end."""
        for model in self.views.models:
            kept = self.kept(model)
            wanted = {self.views.generation(model), kept.generation if kept else 0}
            for generation in set(range(1, max(wanted) + 2)) - wanted:
                self.views.drop(model, generation)
        self._drop_unused_consumers()

    def drop_kept(self, models: Iterable[str]) -> None:
        """Drop the generations kept of these models: they lack what was applied since out of order."""
        for model in models:
            kept = self.kept(model)
            if kept is not None:
                self.views.drop(model, kept.generation)
                self._connection.execute("DELETE FROM kept_generations WHERE model=?", (model,))
        self._drop_unused_consumers()

    def give_up(self, generations: Mapping[str, int], consumers: str) -> None:
        """Drop what a rebuild made that came to no end. A kept generation that it brought further stays kept."""
        for model, generation in generations.items():
            kept = self.kept(model)
            if kept is None or kept.generation != generation:
                self.views.drop(model, generation)
        self._building.discard(consumers)
        self._drop_unused_consumers()

    def begin(self, models: Iterable[str], *, indexed: bool = True) -> tuple[dict[str, int], str]:
        """Empty tables of a new generation of each model, and the name of the consumers that fill them.

        What was kept before is dropped. Where they are not `indexed`, whoever fills them makes the indexes.
        """
        fresh = {}
        for model in models:
            current = self.views.generation(model)
            kept = self.kept(model)
            fresh[model] = max(current, kept.generation if kept else 0) + 1
            if kept is not None:
                self.views.drop(model, kept.generation)
                self._connection.execute("DELETE FROM kept_generations WHERE model=?", (model,))
            (self.views.create if indexed else self.views.create_tables)(model, fresh[model])
        self._drop_unused_consumers()
        return fresh, self._next_consumers()

    def resume(self, model: str) -> tuple[int, str]:
        """The kept generation of a model, and consumers of its own that go on from where it stopped."""
        kept = self.kept(model)
        assert kept is not None
        consumers = self._next_consumers()
        for table, columns in (("positions", "topic, partition, next, last"), ("newest", "topic, key, id")):
            self._connection.execute(
                f"INSERT INTO {table} SELECT ?, {columns} FROM {table} WHERE consumers=?", (consumers, kept.consumers)
            )
        # At once, not at the switch: from now on its rows go beyond what the consumers it shares describe.
        self._connection.execute("UPDATE kept_generations SET consumers=? WHERE model=?", (consumers, model))
        self._drop_unused_consumers()
        return kept.generation, consumers

    def switch(self, generations: Mapping[str, int], consumers: str, live: str) -> None:
        """Make generations current that `consumers` brought to where the `live` group stands; keep those they replace.

        Of topics that the group passed over so far, it learns the newest ids: from now on it may have to read them.
        """
        known = "SELECT 1 FROM newest WHERE consumers=? AND topic=? LIMIT 1"
        for topic in TOPICS.values():
            if self._connection.execute(known, (live, topic.number)).get is None:
                self._connection.execute(
                    "INSERT INTO newest SELECT ?, topic, key, id FROM newest WHERE consumers=? AND topic=?",
                    (live, consumers, topic.number),
                )
        for model, generation in generations.items():
            version = self._connection.execute("SELECT version FROM models WHERE model=?", (model,)).get
            self._connection.execute(
                "INSERT OR REPLACE INTO kept_generations VALUES (?, ?, ?, ?)",
                (model, self.views.generation(model), version, consumers),
            )
            self.views.switch(model, generation)
        self._building.discard(consumers)
        self._drop_unused_consumers()

    def _next_consumers(self) -> str:
        stored = (int(name.removeprefix(PREFIX)) for name in self._consumers())
        # Consumers that have landed nothing yet are not stored.
        self._last = 1 + max([self._last, *stored])
        name = f"{PREFIX}{self._last}"
        self._building.add(name)
        return name

    def _consumers(self) -> list[str]:
        rows = self._connection.execute("SELECT DISTINCT consumers FROM positions WHERE consumers >= ?", (PREFIX,))
        return [str(row[0]) for row in rows if str(row[0]).startswith(PREFIX)]

    def _drop_unused_consumers(self) -> None:
        used = {str(row[0]) for row in self._connection.execute("SELECT consumers FROM kept_generations")}
        used |= self._building
        for name in self._consumers():
            if name not in used:
                for table in ("positions", "newest"):
                    self._connection.execute(f"DELETE FROM {table} WHERE consumers=?", (name,))
