"""Generations of read models in views.db: the current one, one being built, and the one kept for going back.

A rebuild is a consumer with its own positions and newest ids. At the switch it has the positions of the live group, so
they describe the old generation as well. They are kept with it, so that going back continues from there instead of from
zero.
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
    """A former generation. `consumers` owns the positions that it reflects."""

    generation: int
    version: int
    consumers: str


class Generations:
    """Creates, switches and drops generations. Every method runs in the caller's transaction, or in its own."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self._connection = views.connection
        self._connection.execute(_DDL)
        self._last = 0
        self._building: set[str] = set()

    def kept(self, model: str) -> Kept | None:
        """Return the generation kept for going back, if there is one."""
        row: tuple[int, int, str] | None = self._connection.execute(
            "SELECT generation, version, consumers FROM kept_generations WHERE model=?", (model,)
        ).fetchone()
        return None if row is None else Kept(*row)

    def drop_unfinished(self) -> None:
        """Remove the generations of rebuilds that did not finish."""
        for model in self.views.models:
            kept = self.kept(model)
            wanted = {self.views.generation(model), kept.generation if kept else 0}
            for generation in set(range(1, max(wanted) + 2)) - wanted:
                self.views.drop(model, generation)
        self._drop_unused_consumers()

    def drop_kept(self, models: Iterable[str]) -> None:
        """Drop the kept generations of these models: they lack records that were applied out of order since."""
        for model in models:
            kept = self.kept(model)
            if kept is not None:
                self.views.drop(model, kept.generation)
                self._connection.execute("DELETE FROM kept_generations WHERE model=?", (model,))
        self._drop_unused_consumers()

    def give_up(self, generations: Mapping[str, int], consumers: str) -> None:
        """Drop the generations of an unfinished rebuild. A kept generation that it advanced stays kept."""
        for model, generation in generations.items():
            kept = self.kept(model)
            if kept is None or kept.generation != generation:
                self.views.drop(model, generation)
        self._building.discard(consumers)
        self._drop_unused_consumers()

    def begin(self, models: Iterable[str], *, indexed: bool = True) -> tuple[dict[str, int], str]:
        """Create empty tables of a new generation of each model; return the name of the consumers that fill them.

        The kept generations are dropped. If they are not `indexed`, the caller creates the indexes later.
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
        """Return the kept generation of a model, and new consumers that continue from its positions."""
        kept = self.kept(model)
        assert kept is not None
        consumers = self._next_consumers()
        for table, columns in (("positions", "topic, partition, next, last"), ("newest", "topic, key, id")):
            self._connection.execute(
                f"INSERT INTO {table} SELECT ?, {columns} FROM {table} WHERE consumers=?", (consumers, kept.consumers)
            )
        # Now and not at the switch: its rows will advance beyond the positions of the consumers that it shares.
        self._connection.execute("UPDATE kept_generations SET consumers=? WHERE model=?", (consumers, model))
        self._drop_unused_consumers()
        return kept.generation, consumers

    def switch(self, generations: Mapping[str, int], consumers: str, live: str) -> None:
        """Make the generations of `consumers` current, at the positions of the `live` group; keep those they replace.

        The live group gets the newest ids of topics that it has skipped so far, because it may have to read them now.
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
        # Consumers that have committed nothing yet are not stored.
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
