"""The generation of each store, and its location: a keyspace, a prefix of keys, a schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from runtime.distributed.models import groups
from runtime.distributed.models.catalogue import CASSANDRA, COUNTERS, SEARCHES, STORES
from runtime.distributed.settings import DistributedSettings
from stores.cassandra.address import Address
from stores.dead_letters import Counts
from stores.postgres.database import Database
from stores.postgres.pointers import Pointer
from stores.redis.sink import RedisKeys


class Generations(NamedTuple):
    """The generation of each store."""

    address: Address
    keys: RedisKeys
    database: Database

    @classmethod
    def first(cls, settings: DistributedSettings) -> Generations:
        """Return the first generations, those of a new installation."""
        return cls(settings.cassandra, groups.count_keys(settings.topic_prefix), Database(settings.postgres))

    def names(self) -> dict[str, str]:
        """Return the names for the pointers."""
        return {CASSANDRA: self.address.keyspace, COUNTERS: self.keys.name, SEARCHES: self.database.schema}

    def letters(self, counted: Mapping[tuple[str, str], Counts]) -> dict[str, Counts]:
        """Return the number of dead letters of each group in these generations; `counted` is by group and
        generation.
        """
        none = Counts(0, 0)
        return {group: counted.get((group, self.of(group)), none) for those in STORES.values() for group in those}

    def of(self, group: str) -> str:
        """Return the generation of a group's store."""
        [store] = [store for store, those in STORES.items() if group in those]
        return self.names()[store]

    def pointed(self, pointers: Mapping[str, Pointer]) -> Generations:
        """Return the generations that the pointers name. A pointer to counters of another projector version
        is ignored.
        """
        found = self
        for store, pointer in pointers.items():
            if store != COUNTERS or pointer.generation.startswith(self.keys.name):
                found = found.at(store, pointer.generation)
        return found

    def at(self, store: str, name: str) -> Generations:
        """Return these generations with another one for one store."""
        if store == CASSANDRA:
            return self._replace(address=dataclasses.replace(self.address, keyspace=name))
        if store == COUNTERS:
            return self._replace(keys=RedisKeys(name, len(self.keys.slots)))
        return self._replace(database=dataclasses.replace(self.database, schema=name))

    def marked(self, store: str, mark: str) -> Generations:
        """Return these generations with another one for one store: its first generation, with `mark` added
        to the name.
        """
        if store == CASSANDRA:
            return self.at(store, f"{self.address.keyspace[: 47 - len(mark)]}_{mark}")
        if store == COUNTERS:
            return self.at(store, f"{self.keys.name}~{mark}")
        return self.at(store, f"{self.database.schema}_{mark}")
