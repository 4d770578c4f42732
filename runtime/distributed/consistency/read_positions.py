"""The positions that each group has applied, as a query process knows them, and the reads that wait for them.

Each store is polled a few times a second; in between, workers announce each committed batch. A read waits only for the
groups that its route reads from. Its answer says so if one of these is more than a few seconds behind the log, for
example because it is being rebuilt, or because its store is unreachable.

The diagram shows how the position of a group (`GroupPosition`) advances. Caches must drop the rows that a batch changed
before a read that waits for the batch continues. Only an announcement names these rows, so a polled position is
believed only when a second poll confirms it:

                  announced without a gap: these cache keys are invalidated
                       ┌──────────┐
                       ▼          │
      polled, not ┌─ applied ─────┘
      higher than │    ▲  │ polled, higher than all announcements
      before      └────┘  ▼
                     unannounced: the announcement may be under way
                          │
                          ├─ announced ─────────────────► applied
                          └─ polled again, or no worker
                             is heard: it was lost     ──► applied, and the whole cache of the group is invalidated

The whole cache is also invalidated by an announcement after a gap, and by a poll with lower positions than the one
before: the store lost data, or was replaced.
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
from runtime.distributed.consistency.position_sources import PositionSource
from runtime.distributed.roles.readiness import STORE_UNAVAILABLE, GroupProgress
from runtime.lag import BEHIND_S, Behind, Ends, total
from stores.dead_letters import Counts
from stores.redis.advances import Advance
from stores.sink import StoreRefused, StoreUnavailable

POLL_S = 0.2
"""Seconds between polls of the stores."""
POLL_UNHEARD_S = 0.02
"""The same while a read waits and no announcements arrive."""
_POLL_LOG_S = 1.0
_COUNT_WORKERS_S = 5.0

Locate = Callable[[ConsistencyToken, float], Awaitable[Positions | None]]


class GroupPosition:
    """The position of one group."""

    def __init__(self, source: PositionSource) -> None:
        self.source = source
        self.applied = Positions()
        """The positions that reads may rely on: the caches have dropped everything older."""
        self.polled = Positions()
        """The last answer of the store."""
        self.announced = Positions()
        """The positions announced by workers since the last poll began."""
        self.unannounced = Positions()
        """The last answer of the store, while its announcement may be under way; else empty."""
        self.unavailable = False
        """Whether the store did not answer the last poll."""
        self.lost = False
        """Whether the store knows that it lost something."""

    @property
    def known(self) -> Positions:
        """Return the highest positions that were announced or polled."""
        return self.applied.merged(self.announced)

    def missing(self, positions: Positions) -> dict[TopicPartition, int]:
        """Return those of these positions that the group reads and has not applied."""
        topics, applied = self.source.topics, self.applied
        return {p: end for p, end in positions.items() if p.topic in topics and applied.get(p, 0) < end}


class _Wait(NamedTuple):
    """A read that waits for positions of some groups."""

    wanted: Mapping[GroupPosition, Mapping[TopicPartition, int]]
    done: asyncio.Future[bool]

    def over(self) -> bool:
        """Wake the read if all is applied. Also true if it does not wait any more."""
        if not self.done.done() and all(group.applied.covers(places) for group, places in self.wanted.items()):
            self.done.set_result(True)
        return self.done.done()


class ReadPositions:
    """The positions of every group.

    `groups_of` names the groups that fill read ports, `locate` resolves a token to positions within some seconds,
    `ends` reads the ends of the log, `hears` tells whether announcements arrive. `letters` counts dead letters by
    group, `workers` the workers.
    """

    def __init__(
        self,
        sources: Mapping[str, PositionSource],
        *,
        groups_of: Callable[[Reads], Iterable[str]],
        locate: Locate,
        ends: Callable[[], Awaitable[Positions]],
        hears: Callable[[], bool],
        letters: Callable[[], Awaitable[Mapping[str, Counts]]],
        workers: Callable[[], Awaitable[Mapping[str, int]]],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._groups = {name: GroupPosition(source) for name, source in sources.items()}
        self._groups_of = groups_of
        self._locate = locate
        self._ends = ends
        self._hears = hears
        self._count_letters = letters
        self._letters: Mapping[str, Counts] = {}
        self._count_workers = workers
        self._workers: Mapping[str, int] = {}
        self._timer = timer
        self._behind: frozenset[str] = frozenset(sources)
        self._log_ends = Ends(timer, apart_s=_POLL_LOG_S / 2)
        self.log_detail = ""
        """Why the ends of the log are unknown; empty if they are known."""
        self._waiting: list[_Wait] = []
        self._read_waits = asyncio.Event()
        self.on_outdated: Callable[[str, Collection[str] | None], None] = lambda group, keys: None
        """Called with a group and the cache keys to invalidate; None for all of the group."""
        self.on_advance: Callable[[], None] = lambda: None
        """Called after each advance of a group, so that streams look for new events."""

    # Called by the edge

    async def wait_for(self, token: ConsistencyToken, timeout: float, reads: Reads) -> bool:
        """Wait until the groups behind `reads` have applied a token's writes; return False after `timeout` s."""
        deadline = self._timer() + timeout
        positions = await self._locate(token, timeout)
        if positions is None:
            return False
        groups = (self._groups[name] for name in self._groups_of(reads))
        wanted = {group: missing for group in groups if (missing := group.missing(positions))}
        if not wanted:
            return True
        wait = _Wait(wanted, asyncio.get_running_loop().create_future())
        self._waiting.append(wait)
        self._read_waits.set()
        try:
            async with asyncio.timeout(max(0.0, deadline - self._timer())):
                return await wait.done
        except TimeoutError:
            return False

    def behind(self, reads: Reads) -> bool:
        """Return whether a group behind `reads` is known to be more than BEHIND_S behind the log."""
        return bool(self._behind) and not self._behind.isdisjoint(self._groups_of(reads))

    # Positions of groups

    @property
    def groups(self) -> Collection[str]:
        """Return the names of all groups."""
        return self._groups.keys()

    def applied(self, group: str) -> Positions:
        """Return the positions of a group that a read may rely on."""
        return self._groups[group].applied

    def applied_by_all(self) -> Positions:
        """Return the positions that all awaited groups of a topic have applied: events up to there can be sent to every
        client.
        """
        found = Positions()
        awaited = [group for group in self._groups.values() if group.source.awaited]
        for group in awaited:
            for place, offset in group.applied.items():
                if place.topic in group.source.topics:
                    found[place] = min(found.get(place, offset), offset)
        for group in awaited:
            for place in [p for p in found if p.topic in group.source.topics and p not in group.applied]:
                del found[place]
        return found

    def unavailable(self, group: str) -> bool:
        """Return whether a group's store did not answer the last poll."""
        return self._groups[group].unavailable

    def lag(self, group: str) -> dict[TopicPartition, Behind]:
        """Return the lag of a group in each partition that it reads; exact to a second."""
        return self._log_ends.behind(self._groups[group].applied, self._groups[group].source.topics)

    def group(self, group: str) -> GroupProgress:
        """Return what is known of a group."""
        return GroupProgress(
            group,
            total(self.lag(group)),
            unavailable=STORE_UNAVAILABLE if self._groups[group].unavailable else "",
            lost=self._groups[group].lost,
            letters=self._letters.get(group),
            workers=self._workers.get(group),
        )

    # Announcements and polls

    def announced(self, name: str, advance: Advance) -> None:
        """Take in a worker's announcement. Cache keys are invalidated before a waiting read continues."""
        group = self._groups.get(name)
        if group is None:
            return
        gap = not group.known.covers(advance.start)
        self.on_outdated(name, None if gap else advance.outdated)
        group.announced = group.announced.merged(advance.end)
        self._apply(group, group.applied.merged(advance.end))

    async def poll_stores(self) -> None:
        """Poll the positions of every store."""
        for group in self._groups.values():
            group.announced = Positions()
        answers = await asyncio.gather(*(self._ask(group.source) for group in self._groups.values()))
        for (name, group), answer in zip(self._groups.items(), answers, strict=True):
            group.unavailable = answer is None
            group.lost = answer is not None and answer[1]
            if answer is not None:
                self._take(name, group, answer[0])
        self._behind = frozenset(name for name, group in self._groups.items() if self._is_behind(name, group))

    async def _ask(self, source: PositionSource) -> tuple[Positions, bool] | None:
        try:
            return await source.positions()
        except (StoreUnavailable, StoreRefused):  # a store with malformed answers cannot serve either
            return None

    def _take(self, name: str, group: GroupPosition, polled: Positions) -> None:
        """Take in a polled position. If no announcement has arrived by the next poll, assume that it was lost."""
        known = group.known
        if not polled.covers(group.polled):
            self.on_outdated(name, None)
        group.polled = polled
        if known.covers(polled):
            group.unannounced = Positions()
            # An announcement that came during the poll may be newer than the answer.
            self._apply(group, polled.merged(group.announced))
        elif self._hears() and known.covers(group.unannounced):
            group.unannounced = polled
        else:
            group.unannounced = Positions()
            self.on_outdated(name, None)
            self._apply(group, polled.merged(known))

    def _apply(self, group: GroupPosition, positions: Positions) -> None:
        if positions == group.applied:
            return
        group.applied = positions
        if self._waiting:
            self._waiting = [wait for wait in self._waiting if not wait.over()]
        self.on_advance()

    def _is_behind(self, name: str, group: GroupPosition) -> bool:
        return group.unavailable or group.lost or total(self.lag(name)).seconds > BEHIND_S

    async def poll_log(self) -> None:
        """Read the ends of the log; if it is unreachable, the last ones stay."""
        try:
            ends = await self._ends()
        except LogUnavailable as error:
            self.log_detail = str(error)
            return
        self.log_detail = ""
        self._log_ends.note(ends)
        self._log_ends.forget(self._in_all_topics(group) for group in self._groups.values())

    def _in_all_topics(self, group: GroupPosition) -> Positions:
        """Return the positions of a group; in topics that it does not read, the ends of the log."""
        topics = group.source.topics
        others = Positions((p, end) for p, end in self._log_ends.latest.items() if p.topic not in topics)
        return others.merged(group.applied)

    async def poll_letters(self) -> None:
        """Count the dead letters of each group; if that fails, the last counts stay."""
        with contextlib.suppress(StoreUnavailable):
            self._letters = await self._count_letters()

    async def poll_workers(self) -> None:
        """Count the workers of each group periodically, until cancelled; while Kafka is unreachable, the counts are
        unknown.
        """
        while True:
            try:
                self._workers = await self._count_workers()
            except LogUnavailable:
                self._workers = {}
            await asyncio.sleep(_COUNT_WORKERS_S)

    async def poll(self) -> None:
        """Poll the stores, the log and the dead letters periodically, until cancelled."""
        polled_log = -_POLL_LOG_S
        while True:
            if self._timer() - polled_log >= _POLL_LOG_S:
                polled_log = self._timer()
                await self.poll_log()
                await self.poll_letters()
            await self.poll_stores()
            self._read_waits.clear()
            await self._rest(hears=self._hears())

    async def _rest(self, *, hears: bool) -> None:
        """Wait for the next poll: POLL_S, or less if no announcements arrive and a read waits."""
        if hears:
            await asyncio.sleep(POLL_S)
            return
        await asyncio.sleep(POLL_UNHEARD_S)
        if not self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S - POLL_UNHEARD_S):
                    await self._read_waits.wait()

    async def close(self) -> None:
        """Close the connections of the sources."""
        for group in self._groups.values():
            await group.source.close()
