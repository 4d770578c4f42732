"""A store with Cassandra's semantics, in memory: the ports of fan-out and of reading, with a pause before every effect.

A cell holds what was written with the highest timestamp. Of two writes as new, a removal wins; so does an expired row,
which is a removal by the time it is compacted. A batch is written partition by partition and may be cut off in between.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, Generic, NamedTuple, TypeVar

from events.ids import AccountId, ActivityId, Millis, account_number, timestamp
from events.log import TopicPartition
from stores.home_timelines import (
    SMALL,
    STALE_MS,
    ActivityFact,
    Delivery,
    Entry,
    FanOutProgress,
    FanOutTier,
    FollowFact,
    Keeping,
    Tier,
    Viewing,
)
from stores.pages import Page

NEVER = 1 << 60
SHARDS = 3

K = TypeVar("K", bound=str)
V = TypeVar("V")
Now = Callable[[], Millis]


class Pause:
    """Where a coroutine may be left for a while, or for ever. What it yields says whether it is between batches."""

    def __init__(self, between_batches: bool = False) -> None:
        self.between_batches = between_batches

    def __await__(self) -> Generator[bool, None, None]:
        yield self.between_batches


class Cell(NamedTuple):
    """`value` is None once it was removed."""

    written: int
    value: Any
    expires: int


class Partition(Generic[K, V]):
    """Cells in the order of their keys."""

    def __init__(self) -> None:
        self.cells: dict[K, Cell] = {}

    def __copy__(self) -> Partition[K, V]:
        other: Partition[K, V] = Partition()
        other.cells = dict(self.cells)
        return other

    def put(self, key: K, value: V | None, written: int, expires: int = NEVER, now: int = 0) -> None:
        old = self.cells.get(key)
        if old is not None and written <= old.written:
            if written < old.written:
                return
            if old.value is None or old.expires <= now:
                return
            if value is not None and (expires, value) <= (old.expires, old.value):
                return
        self.cells[key] = Cell(written, value, expires)

    def ids(self, now: int = 0) -> list[K]:
        """The keys of what is there."""
        return sorted(key for key, cell in self.cells.items() if cell.value is not None and cell.expires > now)

    def range(self, below: str, since: str, limit: int, now: int = 0) -> list[V]:
        keys = [key for key in self.ids(now) if since <= key < below]
        return [self.cells[key].value for key in keys[: -limit - 1 : -1]]

    def get(self, key: K) -> V | None:
        cell = self.cells.get(key)
        return None if cell is None else cell.value


Step = Callable[[], Pause]


class MemoryFacts:
    """The Facts port. A follow is two rows, which are not written atomically."""

    def __init__(self, step: Step, miscount: Callable[[], int]) -> None:
        self._step = step
        self._miscount = miscount
        self.follows: defaultdict[AccountId, Partition[AccountId, bool]] = defaultdict(Partition)
        self.followed: defaultdict[AccountId, Partition[AccountId, bool]] = defaultdict(Partition)
        self.timelines: defaultdict[AccountId, Partition[ActivityId, Entry]] = defaultdict(Partition)

    async def write(self, follows: Sequence[FollowFact], activities: Sequence[ActivityFact]) -> None:
        for fact in follows:
            there = True if fact.there else None
            await self._step()
            self.follows[fact.follower].put(fact.followee, there, fact.written)
            await self._step()
            self.followed[fact.followee].put(fact.follower, there, fact.written)
        for activity in activities:
            await self._step()
            entry = activity.entry
            self.timelines[entry.by].put(entry.activity, entry if activity.there else None, activity.written)

    async def newest(
        self, before: Mapping[AccountId, str], limit: int, since: str = ""
    ) -> dict[AccountId, list[Entry]]:
        await self._step()
        return {account: self.timelines[account].range(below, since, limit) for account, below in before.items()}

    async def followers(self, after: Mapping[AccountId, str | None], limit: int) -> dict[AccountId, Page[AccountId]]:
        await self._step()
        return {account: self._page(account, cursor, limit) for account, cursor in after.items()}

    def _page(self, account: AccountId, after: str | None, limit: int) -> Page[AccountId]:
        keys = [key for key in self.followed[account].ids() if after is None or key > after]
        return Page(keys[:limit], keys[limit - 1] if len(keys) > limit else None)

    async def followees(self, accounts: Collection[AccountId]) -> dict[AccountId, list[AccountId]]:
        await self._step()
        return {account: self.follows[account].ids() for account in accounts}

    async def follower_counts(self, accounts: Collection[AccountId]) -> dict[AccountId, int]:
        await self._step()
        return {account: len(self.followed[account].ids()) + self._miscount() for account in accounts}


class MemoryHomeTimelines:
    """The HomeTimelineRows port. Everything in it is lost together, or put back together."""

    def __init__(self, step: Step, now: Now, keeping: Keeping) -> None:
        self._step = step
        self.now = now
        self._keeping = keeping
        self.rows: defaultdict[AccountId, Partition[ActivityId, Entry]] = defaultdict(Partition)
        self.floors: Partition[AccountId, str] = Partition()
        self.whole: set[AccountId] = set()
        self.tiers_now: dict[AccountId, Tier] = {}
        self.places: dict[TopicPartition, FanOutProgress] = {}
        self.moved: Counter[str] = Counter()
        self.pulled: list[tuple[Millis, frozenset[AccountId]]] = [(Millis(0), frozenset())]

    def __copy__(self) -> MemoryHomeTimelines:
        other = MemoryHomeTimelines(self._step, self.now, self._keeping)
        other.rows.update((viewer, copy(rows)) for viewer, rows in self.rows.items())
        other.floors = copy(self.floors)
        other.whole = set(self.whole)
        other.tiers_now = dict(self.tiers_now)
        other.places = dict(self.places)
        other.pulled = self.pulled[-1:]
        return other

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        shards: dict[int, list[Delivery]] = {}
        for delivery in deliveries:
            shards.setdefault(account_number(delivery.viewer) % SHARDS, []).append(delivery)
        for shard in shards.values():
            await self._step()
            now = self.now()
            for viewer, entry in shard:
                expires = now + self._keeping.kept_ms
                self.rows[viewer].put(entry.activity, entry, entry.written, expires, now)

    async def raise_floors(self, floors: Mapping[AccountId, str]) -> None:
        for account, floor in floors.items():
            await self._step()
            self.floors.put(account, floor, timestamp(floor))

    async def trust(self, floors: Mapping[AccountId, str]) -> None:
        for account, floor in floors.items():
            await self._step()
            self.floors.put(account, floor, timestamp(floor))
            self.whole.add(account)

    async def trusted(self, accounts: Collection[AccountId]) -> frozenset[AccountId]:
        await self._step()
        return frozenset(self.whole.intersection(accounts))

    async def tiers(self, accounts: Collection[AccountId]) -> dict[AccountId, Tier]:
        await self._step()
        return {account: self.tiers_now[account] for account in accounts if account in self.tiers_now}

    async def move(self, account: AccountId, seen: Tier, to: FanOutTier) -> bool:
        await self._step()
        if self.tiers_now.get(account, SMALL) != seen:
            return False
        self.change(account, Tier(to, self.now(), seen.change + 1))
        return True

    def change(self, account: AccountId, tier: Tier) -> None:
        """The tier from now on."""
        self.moved[f"from {self.tiers_now.get(account, SMALL).kind} to {tier.kind}"] += 1
        self.tiers_now[account] = tier
        pulled = frozenset(a for a, tier in self.tiers_now.items() if tier.kind is not FanOutTier.PUSHED)
        self.pulled.append((self.now(), pulled))

    async def progress(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, FanOutProgress]:
        await self._step()
        return {place: self.places[place] for place in places if place in self.places}

    async def note(self, progress: Mapping[TopicPartition, FanOutProgress]) -> None:
        for place, reached in progress.items():
            await self._step()
            self.places[place] = max(reached, self.places.get(place, reached), key=_order)


class MemoryReading:
    """The HomeTimelines port over the two. `choose` picks how stale the set of pulled authors is."""

    def __init__(
        self,
        step: Step,
        facts: MemoryFacts,
        home: MemoryHomeTimelines,
        muted: Callable[[AccountId], frozenset[AccountId]],
        choose: Callable[[Sequence[frozenset[AccountId]]], frozenset[AccountId]],
    ) -> None:
        self._step = step
        self._facts = facts
        self._home = home
        self._muted = muted
        self._choose = choose

    async def pulled(self) -> frozenset[AccountId]:
        await self._step()
        history = self._home.pulled
        ends = [start for start, _ in history[1:]] + [NEVER]
        fresh = self._home.now() - STALE_MS
        return self._choose([pulled for (_, pulled), end in zip(history, ends, strict=True) if end >= fresh])

    async def viewing(self, viewer: AccountId) -> Viewing:
        await self._step()
        floor = self._home.floors.get(viewer) if viewer in self._home.whole else None
        await self._step()
        followees = self._facts.follows[viewer].ids()
        await self._step()  # an answer takes its time, too
        return Viewing(followees, self._muted(viewer), floor)

    async def read(
        self,
        viewer: AccountId,
        rows: tuple[str, str] | None,
        row_limit: int,
        before: Mapping[AccountId, str],
        limit: int,
    ) -> tuple[list[Entry], dict[AccountId, list[Entry]]]:
        found: list[Entry] = []
        if rows is not None:
            await self._step()
            found = self._home.rows[viewer].range(rows[0], rows[1], row_limit, self._home.now())
        return found, await self._facts.newest(before, limit) if before else {}

    async def present(self, entries: Collection[Entry]) -> frozenset[ActivityId]:
        await self._step()
        timelines = self._facts.timelines
        return frozenset(e.activity for e in entries if timelines[e.by].get(e.activity) is not None)


def _order(progress: FanOutProgress) -> tuple[int, str]:
    return progress.offset, progress.after or ""
