"""`minitwitter rebuild` in the distributed profile: builds read models beside the live ones, then moves a pointer.

All read models of a store are rebuilt together. The new generation is built up to the positions of the live one, and
catches up. Then the live groups are paused between two batches, the last events are applied, both generations are
compared, and the pointer moves. Every process that uses the store is notified and opens it again
(roles/pointer_watch.py). A late worker may commit one more batch to the old generation; its next one continues from the
positions of the new one.

The old generation is kept until the next rebuild. Going back is a rebuild that begins with it.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from events.codec import Codec
from events.log import Positions
from runtime.child_process import cores
from runtime.distributed.consistency.decision_state import fold_decisions
from runtime.distributed.consistency.log_identity import misfits
from runtime.distributed.decision_database import decision_database, recover_keys
from runtime.distributed.engines import Engines
from runtime.distributed.kafka_clients import log_reader
from runtime.distributed.models.catalogue import CASSANDRA, COUNTERS, STORES, on_cassandra, on_postgres
from runtime.distributed.models.generations import Generations
from runtime.distributed.rebuild.batch_runner import Advance, GroupBuild, build
from runtime.distributed.rebuild.derived_topics import DerivedTopics
from runtime.distributed.rebuild.notes import DECISIONS, ProgressListener, noted
from runtime.distributed.rebuild.paused_batches import pause_name
from runtime.distributed.rebuild.scratch_generation import alone, buildings, discard, make
from runtime.distributed.rebuild.side_by_side import WORTHWHILE, build_side_by_side
from runtime.distributed.settings import DecisionSettings, DistributedSettings
from runtime.gc_tuning import freeze_startup_objects
from runtime.settings import Settings
from runtime.verdict import CannotVerify
from stores.cassandra.digest import digests as cassandra_digests
from stores.groups import COUNTS
from stores.postgres import digests as postgres_digests
from stores.postgres.dead_letters import forget
from stores.postgres.pauses import paused
from stores.postgres.pointers import Pointer, Pointers
from stores.redis.digest import digest as redis_digest
from stores.redis.sink import held

CATCH_UPS = 3
"""How often it catches up before the live groups are paused for the last events."""
SETTLES_S = 10.0
_LOOK_S = 0.1
_GENERATION = re.compile(r".*[_~]g(\d+)")


class CannotRebuild(CannotVerify):
    """There is no such store to rebuild, or no generation to go back to; the message says which there are."""


class ComparedModel(msgspec.Struct, frozen=True):
    """A rebuilt read model, and whether it equals the one that it replaces; None if that was lost."""

    model: str
    place: str
    rows: int
    same: bool | None


def stores_of(names: list[str]) -> list[str]:
    """Return the stores of these groups; names of stores are accepted, too. Without names all. Raises CannotRebuild."""
    wanted: list[str] = []
    for name in names or STORES:
        found = [store for store, groups in STORES.items() if name == store or name in groups]
        if not found:
            known = ", ".join(group for groups in STORES.values() for group in groups)
            raise CannotRebuild(f"there is no group {name!r} of read models; there are {known}")
        wanted += found
    return list(dict.fromkeys(wanted))


async def rebuild(
    settings: Settings,
    store: str,
    begin: Callable[[int], None],
    advance: Advance,
    *,
    back: bool = False,
    slices: int = 256,
    processes: int | None = None,
) -> list[ComparedModel]:
    """Rebuild a store, or go back; `begin` receives the number of steps, `advance` the number done.

    A long log is applied by several `processes`, by default one for each processor of this machine. Raises
    CannotRebuild, CannotVerify if another process builds, LogUnavailable, StoreUnavailable.
    """
    async with (
        Engines.open(DistributedSettings.of(settings)) as engines,
        alone(engines.settings.postgres),
    ):
        await engines.read_discards()
        freeze_startup_objects()
        with tempfile.TemporaryDirectory(prefix="minitwitter-rebuild-") as directory:
            await Pointers(engines.settings.postgres).migrate()
            rebuilding = _Rebuild(
                engines, store, DerivedTopics(Path(directory) / "derived.db"), slices, processes or cores()
            )
            try:
                async with noted(engines.settings.postgres, store, ProgressListener(begin, advance)) as noting:
                    return await rebuilding.rebuild(*noting, back)
            finally:
                await rebuilding.close()


async def rebuild_decisions(settings: Settings, begin: Callable[[int], None], advance: Advance) -> int:
    """Fold the decision state from the log; return the number of events.

    Raises LogUnavailable, NotSetUp, and the errors of reading the log.
    """
    chosen = DecisionSettings.of(settings)
    async with (
        decision_database(chosen) as (pool, keys),
        log_reader(chosen, Codec(keys.sealer), keys) as reader,
        noted(chosen.postgres, DECISIONS, ProgressListener(begin, advance)) as noting,
    ):
        await recover_keys(chosen, pool, keys)
        return await fold_decisions(reader, pool, await keys.secret("email"), *noting)


class _Rebuild:
    def __init__(self, engines: Engines, store: str, nowhere: DerivedTopics, slices: int, processes: int) -> None:
        self._engines = engines
        self._store = store
        self._groups = STORES[store]
        self._nowhere = nowhere
        self._slices = slices
        self._processes = processes
        self._reader, self._cassandra, self._redis = engines.log, engines.cassandra, engines.redis
        self._pointers = Pointers(engines.settings.postgres)
        self._live = self._of(engines.generations)
        self._new: list[GroupBuild] = []
        self._unfit = False

    async def close(self) -> None:
        """Close its own connections."""
        self._nowhere.close()
        for building in (*self._live, *self._new):
            if building.close is not None:
                await building.close()

    def _of(self, generations: Generations) -> list[GroupBuild]:
        """Return the groups of the store. Their derived events are in the topics already."""
        made = buildings(self._engines, generations, self._nowhere)
        return [made[name] for name in self._groups]

    async def rebuild(self, begin: Callable[[int], None], advance: Advance, back: bool) -> list[ComparedModel]:
        """Build, catch up, compare, move the pointer."""
        self._unfit = not set(self._groups).isdisjoint(await misfits(self._engines))
        current = self._engines.generations.names()[self._store]
        before = (await self._pointers.read()).get(self._store, Pointer(current, None)).before
        generations = await self._generation(current, before, back)
        new = self._new = self._of(generations)
        for building in new:
            await building.resume()
        standing = await self._goals()
        until = {b.name: b.goal(standing[b.name]) for b in new}
        missing = sum(sum(until[b.name].values()) - sum(b.reached.values()) for b in new)
        begin(missing)
        if missing >= WORTHWHILE and self._processes > 1:
            to = generations.names()[self._store]
            await build_side_by_side(self._engines.settings, self._store, to, until, self._processes, advance)
            for building in new:
                await building.resume()
        for _ in range(CATCH_UPS):
            await build(self._reader, new, await self._goals(), advance)
        names = [pause_name(self._engines.settings.topic_prefix, group) for group in self._groups]
        deadline = time.monotonic() + SETTLES_S
        while True:
            async with paused(self._engines.settings.postgres, names):
                if time.monotonic() > deadline or not await self._has_due():
                    goals = await self._goals()
                    await build(self._reader, new, goals, advance)
                    compared = await self._compared(generations, lost=not any((await self._standing()).values()))
                    to = generations.names()[self._store]
                    await self._pointers.move(self._store, Pointer(to, current))
                    break
            await asyncio.sleep(_LOOK_S)
        if before is not None and not back:
            await discard(generations.at(self._store, before), self._store, self._redis)
            await forget(self._engines.letters, before)
        return compared

    async def _generation(self, current: str, before: str | None, back: bool) -> Generations:
        """Return the new generation: an empty one, or the kept one."""
        replicas = self._engines.settings.cassandra_replicas
        if back:
            if before is None:
                raise CannotRebuild(f"no generation before {current} is kept")
            generations = self._engines.generations.at(self._store, before)
        else:
            first = Generations.first(self._engines.settings)
            number = 1 + max(_number(current), _number(before or ""))
            name = first.marked(self._store, f"g{number}").names()[self._store]
            generations = self._engines.generations.at(self._store, name)
            await discard(generations, self._store, self._redis)  # left by a rebuild that was killed
        await make(generations, self._store, replicas)
        return generations

    async def _goals(self) -> Mapping[str, Positions]:
        """Return the positions of the live groups, so that both can be compared; of lost groups, the ends
        of the log.
        """
        standing = await self._standing()
        ends = await self._reader.ends()
        return {name: positions or ends for name, positions in standing.items()}

    async def _standing(self) -> dict[str, Positions]:
        """Return the positions of the live groups; none if their rows are of another log."""
        if self._unfit:
            return {name: Positions() for name in self._groups}
        if self._store == COUNTERS:  # their sink would delete incomplete counters
            epoch, counted, _ = await held(self._redis, self._engines.generations.keys)
            return {COUNTS: counted if epoch else Positions()}
        return {building.name: await building.hosted.positions() for building in self._live}

    async def _has_due(self) -> bool:
        return any([b.has_due is not None and await b.has_due() for b in self._live])

    async def _compared(self, generations: Generations, *, lost: bool) -> list[ComparedModel]:
        now = await self._digests(generations)
        was = {} if lost else await self._digests(self._engines.generations)
        place = generations.names()[self._store]
        return [ComparedModel(model, place, now[model][0], None if lost else was[model] == now[model]) for model in now]

    async def _digests(self, generations: Generations) -> dict[str, tuple[int, str]]:
        if self._store == COUNTERS:
            return {"counts": await redis_digest(self._redis, generations.keys)}
        if self._store == CASSANDRA:
            keyspace = generations.address.keyspace
            return await cassandra_digests(self._cassandra, keyspace, on_cassandra(), slices=self._slices)
        return await postgres_digests.digests(generations.database, on_postgres())


def _number(generation: str) -> int:
    found = _GENERATION.fullmatch(generation)
    return int(found[1]) if found else 0
