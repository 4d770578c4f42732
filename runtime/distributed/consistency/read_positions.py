"""How far the read models of every store have come, as a query process knows it, and who waits for it.

Each store is looked into a few times a second; in between, workers tell of each batch that has landed. A read waits
only for what its route reads from. And whether or not it waits, it is told when that is more than a few seconds behind
the log: lost and being built again, say, or with a store that is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from events.consistency_token import ConsistencyToken
from events.log import LogUnavailable, Positions, TopicPartition
from rest.exchange import Reads
from runtime.distributed.roles.readiness import STORE_AWAY, Reached
from runtime.lag import BEHIND_S, Behind, Ends, total
from stores.dead_letters import Counts
from stores.redis.advances import Advance
from stores.sink import StoreRefused, StoreUnavailable

LOOK_S = 0.2
"""Seconds between looks into the stores,"""
LOOK_ALONE_S = 0.02
"""and where a read waits and nobody tells."""
_ENDS_S = 1.0
_WORKERS_S = 5.0
"""Seconds between counts of who works on each group."""

Locate = Callable[[ConsistencyToken, float], Awaitable[Positions | None]]


class Source(NamedTuple):
    """A group of processors: the topics that it reads, and how to ask its store how far it has come.

    The answer also says whether the store knows of itself that it has lost something. Raises StoreUnavailable. Nobody
    waits for a group that is not `awaited`: what it keeps says as of when it is.
    """

    topics: frozenset[str]
    positions: Callable[[], Awaitable[tuple[Positions, bool]]]
    close: Callable[[], Awaitable[None]]
    awaited: bool = True


class Applied:
    """Positions of each group. `groups_of` tells which groups fill read ports; `locate` finds the positions that
    a token stands for; `hears` whether workers can be heard; `letters` counts dead letters by group, and
    `workers` those who work on it."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        *,
        groups_of: Callable[[Reads], Iterable[str]],
        locate: Locate,
        ends: Callable[[], Awaitable[Positions]],
        hears: Callable[[], bool],
        letters: Callable[[], Awaitable[Mapping[str, Counts]]] | None = None,
        workers: Callable[[], Awaitable[Mapping[str, int]]] | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = sources
        self._groups_of = groups_of
        self._locate = locate
        self._ends = ends
        self._hears = hears
        self._count_letters = letters
        self._letters: Mapping[str, Counts] = {}
        self._count_workers = workers
        self._workers: Mapping[str, int] = {}
        self._timer = timer
        self.positions = {group: Positions() for group in sources}
        self._heard: dict[str, Positions] = {}
        self._away: set[str] = set()
        self._lost: set[str] = set()
        self._untold: dict[str, Positions] = {}
        self._found: dict[str, Positions] = {}
        self._behind: frozenset[str] = frozenset(sources)
        self._ended = Ends(timer, apart_s=_ENDS_S / 2)
        self.log_detail = ""
        """Why the log does not tell where it ends; empty where it does."""
        self._waiting: list[tuple[Mapping[str, Mapping[TopicPartition, int]], asyncio.Future[bool]]] = []
        self._look_now = asyncio.Event()
        self.on_outdated: Callable[[str, Collection[str] | None], None] = lambda group, ids: None
        """Called with a group and the names of what is not what it was; None where anything may be."""
        self.on_advance: Callable[[], None] = lambda: None
        """Called whenever a group advanced: a stream may have something to say."""

    # What the edge asks

    async def wait_for(self, token: ConsistencyToken, timeout: float, reads: Reads) -> bool:
        """Wait until what `reads` names has applied a token's writes; False when `timeout` seconds are not enough."""
        deadline = self._timer() + timeout
        wanted_positions = await self._locate(token, timeout)
        if wanted_positions is None:
            return False
        wanted = {}
        for group in self._groups_of(reads):
            topics, reached = self._sources[group].topics, self.positions[group]
            missing = {p: end for p, end in wanted_positions.items() if p.topic in topics and reached.get(p, 0) < end}
            if missing:
                wanted[group] = missing
        if not wanted:
            return True
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, future))
        self._look_now.set()
        try:
            async with asyncio.timeout(max(0.0, deadline - self._timer())):
                return await future
        except TimeoutError:
            return False

    def behind(self, reads: Reads) -> bool:
        """Whether something that `reads` names is known to be more than BEHIND_S behind the log."""
        return bool(self._behind) and not self._behind.isdisjoint(self._groups_of(reads))

    # What is known

    def everywhere(self) -> Positions:
        """How far all groups have come that read a topic: what can be told to everyone."""
        found = Positions()
        awaited = {group: source for group, source in self._sources.items() if source.awaited}
        for group, source in awaited.items():
            for place, offset in self.positions[group].items():
                if place.topic in source.topics:
                    found[place] = min(found.get(place, offset), offset)
        for group, source in awaited.items():
            for place in [p for p in found if p.topic in source.topics and p not in self.positions[group]]:
                del found[place]
        return found

    def away(self, group: str) -> bool:
        """Whether a group's store did not answer when it was asked last."""
        return group in self._away

    def group(self, group: str) -> Reached:
        """A group as it is known here."""
        return Reached(
            group,
            total(self.lag(group)),
            away=STORE_AWAY if group in self._away else "",
            lost=group in self._lost,
            letters=self._letters.get(group),
            workers=self._workers.get(group),
        )

    def heard(self, group: str, advance: Advance) -> None:
        """A worker told how far some partitions are. What is outdated by that is forgotten before anyone is let on."""
        if group not in self.positions:
            return
        known = self._known(group)
        missed = any(known.get(place, 0) < offset for place, offset in advance.start.items())
        self.on_outdated(group, None if missed else advance.outdated)
        self._heard[group] = self._heard.get(group, Positions()).merged(advance.end)
        self._reach(group, self.positions[group].merged(advance.end))

    def _known(self, group: str) -> Positions:
        """How far a group is, by what was told and what was looked at."""
        return self.positions[group].merged(self._heard.get(group, Positions()))

    async def look(self) -> None:
        """Look into every store."""
        self._heard.clear()
        found = await asyncio.gather(*(self._ask(source) for source in self._sources.values()))
        for group, answer in zip(self._sources, found, strict=True):
            self._away.discard(group)
            self._lost.discard(group)
            if answer is None:
                self._away.add(group)
                continue
            positions, lost = answer
            if lost:
                self._lost.add(group)
            self._look_at(group, positions)
        lagging = {group for group in self._sources if total(self.lag(group)).seconds > BEHIND_S}
        self._behind = frozenset(self._away | self._lost | lagging)

    def _look_at(self, group: str, found: Positions) -> None:
        """A store says how far it is. What nobody told by the look after, nobody will tell any more."""
        known = self._known(group)
        if not found.covers(self._found.get(group, Positions())):
            self.on_outdated(group, None)  # the store lost something, or another took its place
        self._found[group] = found
        if known.covers(found):
            self._untold.pop(group, None)
            # What was told while the store was asked may be newer than its answer.
            self._reach(group, found.merged(self._heard.get(group, Positions())))
        elif not self._hears() or not known.covers(self._untold.get(group, Positions())):
            self._untold.pop(group, None)
            self.on_outdated(group, None)
            self._reach(group, found.merged(known))
        else:
            self._untold[group] = found

    async def _ask(self, source: Source) -> tuple[Positions, bool] | None:
        try:
            return await source.positions()
        except (StoreUnavailable, StoreRefused):  # a store that answers nonsense serves nobody either
            return None

    async def look_at_the_log(self) -> None:
        """Note where the log ends now; while it is away, what was noted last stays."""
        try:
            ends = await self._ends()
        except LogUnavailable as error:
            self.log_detail = str(error)
            return
        self.log_detail = ""
        self._ended.note(ends)
        self._ended.forget(self._known_of_all(group) for group in self._sources)

    def _known_of_all(self, group: str) -> Positions:
        """How far a group is, and, in topics that it does not read, as far as the log."""
        topics = self._sources[group].topics
        others = Positions((p, end) for p, end in self._ended.latest.items() if p.topic not in topics)
        return others.merged(self.positions[group])

    async def look_at_the_letters(self) -> None:
        """Note how many records each group has set aside; while nobody can tell, what was noted last stays."""
        if self._count_letters is not None:
            with contextlib.suppress(StoreUnavailable):
                self._letters = await self._count_letters()

    async def keep_counting_workers(self) -> None:
        """Count who works on each group again and again, until cancelled; while Kafka is away, nobody can tell."""
        while self._count_workers is not None:
            try:
                self._workers = await self._count_workers()
            except LogUnavailable:
                self._workers = {}
            await asyncio.sleep(_WORKERS_S)

    def lag(self, group: str) -> dict[TopicPartition, Behind]:
        """How far a group is behind in each partition that it reads, to a second."""
        return self._ended.behind(self.positions[group], self._sources[group].topics)

    async def close(self) -> None:
        """Let go of the connections that it asks by."""
        for source in self._sources.values():
            await source.close()

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled."""
        noted = -_ENDS_S
        while True:
            if self._timer() - noted >= _ENDS_S:
                noted = self._timer()
                await self.look_at_the_log()
                await self.look_at_the_letters()
            await self.look()
            self._look_now.clear()
            alone = not self._hears()
            try:
                async with asyncio.timeout(LOOK_S):
                    if alone:
                        await asyncio.sleep(LOOK_ALONE_S)
                        if not self._waiting:
                            await self._look_now.wait()
                    else:
                        await asyncio.sleep(LOOK_S)
            except TimeoutError:
                pass

    def _reach(self, group: str, positions: Positions) -> None:
        if positions == self.positions[group]:
            return
        self.positions[group] = positions
        if self._waiting:
            self._waiting = [each for each in self._waiting if not each[1].done() and not self._reached(*each)]
        self.on_advance()

    def _reached(self, wanted: Mapping[str, Mapping[TopicPartition, int]], future: asyncio.Future[bool]) -> bool:
        if not all(self.positions[group].covers(places) for group, places in wanted.items()):
            return False
        future.set_result(True)
        return True
