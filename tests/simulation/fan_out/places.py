"""Some accounts, a store, and a worker that has applied everything so far: in memory, or on Cassandra."""

from __future__ import annotations

import abc
import asyncio
import sys
from collections import Counter
from collections.abc import Collection, Coroutine, Mapping
from typing import Any

from events.ids import AccountId, Millis, TweetId, wall_clock
from events.log import Positions, Record, positions_after
from projectors.fan_out import FanOut
from stores.cassandra.digest import OF_FAN_OUT
from stores.cassandra.home_facts import CassandraFanOutFacts
from stores.cassandra.home_rows import CassandraHomeTimelineRows
from stores.cassandra.home_timelines import CassandraHomeTimelines
from stores.composed.home_feed import HybridHomeFeed
from stores.home_timelines import NEWEST, Entry, FanOutFacts, FanOutTier, HomeTimelineRows, HomeTimelines, Tier
from tests.community import Community
from tests.stores.on_cassandra import OnCassandra

from .cassandra import MemoryFacts, MemoryHomeTimelines, MemoryReading, Pause
from .community import PartitionedLog
from .definition import told
from .workers import KEEPING, LIMITS, Task, finish
from .world import PLACES


class Place(abc.ABC):
    """What happens is told to a log; `commit` applies it."""

    facts: FanOutFacts
    home: HomeTimelineRows

    def __init__(self, accounts: int, now: Millis | None = None) -> None:
        self.community = Community()
        self.community.now = now or self.community.now
        self.log = PartitionedLog()
        self.calls: Counter[str] = Counter()
        self.make()
        self.accounts = [self.community.register() for _ in range(accounts)]
        self._logged = 0
        self.applied = Positions()
        self.commit()

    @abc.abstractmethod
    def make(self) -> None:
        """The adapters, with nothing in them."""

    @abc.abstractmethod
    def reading(self) -> HomeTimelines:
        """What a process reads that has just begun, or knows the pulled authors as late as it may."""

    @abc.abstractmethod
    def run(self, task: Coroutine[Any, Any, Any]) -> Any:
        """Let something come to its end; its result."""

    @abc.abstractmethod
    def hold(self, task: Task, where: str) -> None:
        """Let a batch get as far as a call of a port, and no further; called again, as far as the next."""

    @abc.abstractmethod
    def drop(self, task: Task) -> None:
        """The process with a batch that is held dies."""

    @abc.abstractmethod
    def forget_rows(self) -> None:
        """Empty all timelines, and nothing else."""

    @abc.abstractmethod
    def lose(self) -> None:
        """Lose the timelines' store, with floors, tiers and progress."""

    @abc.abstractmethod
    def rows(self, viewer: int) -> list[TweetId]:
        """What was pushed to somebody, the newest first."""

    @abc.abstractmethod
    def floor(self, viewer: int) -> str | None:
        """The floor of a timeline that is trusted."""

    def fan_out(self) -> FanOut:
        """A worker."""
        return FanOut(self.facts, self.home, lambda: self.community.now, LIMITS, KEEPING)

    def records(self) -> list[Record]:
        """Return the records that were not applied yet."""
        for record in self.community.records[self._logged :]:
            self.log.append(record)
        self._logged = len(self.community.records)
        return [r for r in self.log.everything() if r.offset >= self.applied.get(r.place, 0)]

    def commit(self) -> None:
        """Apply them."""
        self.run(self.committing())

    def committing(self) -> Task:
        """A batch on its way."""
        records = self.records()
        self.applied = positions_after(records, self.applied)

        async def committing() -> None:
            worker = self.fan_out()
            await worker.resume(PLACES)
            await worker.apply(records)

        return committing()

    def later(self, ms: int) -> None:
        """Time passes."""
        self.community.now = Millis(self.community.now + ms)

    def post(self, author: int, n: int = 0) -> TweetId:
        """Somebody posts."""
        tweet = self.community.post(self.accounts[author], n)
        assert tweet is not None
        return tweet

    def follow(self, follower: int, followee: int) -> None:
        """Somebody follows."""
        self.later(1)
        self.community.follow(self.accounts[follower], self.accounts[followee])

    def unfollow(self, follower: int, followee: int) -> None:
        """Somebody follows no longer."""
        self.community.unfollow(self.accounts[follower], self.accounts[followee])

    def page(self, viewer: int, before: str | None = None, limit: int = 20) -> tuple[list[TweetId], str | None]:
        """A page of somebody's feed, and where the next begins."""
        feed = HybridHomeFeed(self.reading(), lambda: self.community.now, KEEPING)
        page = self.run(feed.page(self.accounts[viewer], before, limit))
        return [activity.tweet for activity in page.items], page.next

    def feed(self, viewer: int) -> list[TweetId]:
        """A first page."""
        return self.page(viewer)[0]

    def kind(self, author: int) -> FanOutTier:
        """How an author reaches the feeds."""
        account = self.accounts[author]
        kind: FanOutTier = self.run(self.home.tiers([account])).get(account, Tier()).kind
        return kind


class InMemory(Place):
    """With Cassandra's rules, paused before every effect."""

    facts: MemoryFacts
    home: MemoryHomeTimelines

    def make(self) -> None:
        self.paused_at = ""
        self.facts = MemoryFacts(self._pause, lambda: 0)
        self.lose()

    def _pause(self) -> Pause:
        self.paused_at = sys._getframe(1).f_code.co_name
        self.calls[self.paused_at] += 1
        return Pause()

    def reading(self) -> HomeTimelines:
        muted = told(self.log.everything()).muted_by
        return MemoryReading(self._pause, self.facts, self.home, muted, lambda sets: sets[0])

    def run(self, task: Coroutine[Any, Any, Any]) -> Any:
        return finish(task)

    def hold(self, task: Task, where: str) -> None:
        self.paused_at = ""
        while self.paused_at != where:
            task.send(None)

    def drop(self, task: Task) -> None:
        task.close()

    def forget_rows(self) -> None:
        self.home.rows.clear()

    def lose(self) -> None:
        self.home = MemoryHomeTimelines(self._pause, lambda: self.community.now, KEEPING)

    def rows(self, viewer: int) -> list[TweetId]:
        rows = self.home.rows[self.accounts[viewer]]
        return [rows.cells[key].value.tweet for key in reversed(rows.ids(self.community.now))]

    def floor(self, viewer: int) -> str | None:
        return self.home.floors.get(self.accounts[viewer])


class Held:
    """A batch that stops at calls of a port."""

    def __init__(self, task: Task) -> None:
        self.task = asyncio.ensure_future(task)
        self.where = ""
        self.reached = asyncio.Event()
        self.going = asyncio.Event()


class Gate:
    """A port whose calls are counted, and where a batch may be held."""

    def __init__(self, port: Any, place: OnTheEngine) -> None:
        self._port = port
        self._place = place

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        async def through(*arguments: Any) -> Any:
            await self._place.passing(name)
            return await call(*arguments)

        return through


class CountingTimelines(CassandraHomeTimelines):
    """What reads of ranges of rows and of timelines of authors there are."""

    calls: Counter[str]

    async def read(
        self,
        viewer: AccountId,
        rows: tuple[str, str] | None,
        row_limit: int,
        before: Mapping[AccountId, str],
        limit: int,
    ) -> tuple[list[Entry], dict[AccountId, list[Entry]]]:
        self.calls["read"] += rows is not None
        self.calls["newest"] += bool(before)
        return await super().read(viewer, rows, row_limit, before, limit)


class OnTheEngine(Place):
    """On Cassandra. Its clock is the real one, so what happens begins now."""

    def __init__(self, kept: OnCassandra, accounts: int) -> None:
        self._kept = kept
        self._held: dict[int, Held] = {}
        super().__init__(accounts, wall_clock())

    def make(self) -> None:
        session, keyspace = self._kept.session, self._kept.address.keyspace
        self._empty(OF_FAN_OUT)
        self.facts = Gate(CassandraFanOutFacts(session, keyspace, self._follower_counts), self)
        self.home = Gate(CassandraHomeTimelineRows(session, keyspace, KEEPING), self)

    def _empty(self, tables: Collection[str]) -> None:
        self._kept.run(self._kept.empty(tables))

    async def _follower_counts(self, accounts: Collection[AccountId]) -> dict[AccountId, int]:
        followees = Counter(followee for _, followee in told(self.log.everything()).follows)
        return {account: followees[account] for account in accounts}

    def reading(self) -> HomeTimelines:
        timelines = CountingTimelines(self._kept.session, self._kept.address.keyspace, lambda: self.community.now)
        timelines.calls = self.calls
        return timelines

    def run(self, task: Coroutine[Any, Any, Any]) -> Any:
        held = self._held.pop(id(task), None)
        if held is None:
            return self._kept.run(task)
        held.where = ""
        held.going.set()
        return self._kept.run(_ended(held))

    def hold(self, task: Task, where: str) -> None:
        self._kept.run(self._hold(task, where))

    async def _hold(self, task: Task, where: str) -> None:
        held = self._held.get(id(task))
        if held is None:
            held = self._held[id(task)] = Held(task)
        held.where = where
        held.reached.clear()
        held.going.set()
        reached = asyncio.ensure_future(held.reached.wait())
        await asyncio.wait((held.task, reached), return_when=asyncio.FIRST_COMPLETED)
        assert reached.done(), f"the batch ended before it came to {where}"

    async def passing(self, name: str) -> None:
        """Somebody calls a port."""
        self.calls[name] += 1
        for held in self._held.values():
            if held.task is asyncio.current_task() and held.where == name:
                held.going.clear()
                held.reached.set()
                await held.going.wait()

    def drop(self, task: Task) -> None:
        held = self._held.pop(id(task))
        held.task.cancel()
        self._kept.run(_gone(held))

    def forget_rows(self) -> None:
        self._empty(["home_timelines"])

    def lose(self) -> None:
        self._empty([table for table in OF_FAN_OUT if table.startswith("home_")])

    def rows(self, viewer: int) -> list[TweetId]:
        oldest = KEEPING.oldest_written(self.community.now)
        reading = self.reading().read(self.accounts[viewer], (NEWEST, oldest), 1000, {}, 1)
        return [entry.tweet for entry in self.run(reading)[0]]

    def floor(self, viewer: int) -> str | None:
        floor: str | None = self.run(self.reading().viewing(self.accounts[viewer])).floor
        return floor


async def _ended(held: Held) -> Any:
    return await held.task


async def _gone(held: Held) -> None:
    await asyncio.wait((held.task,))
