"""The run of one seed: people act, workers apply the events in any order, and feeds are checked all the time.

What is claimed, and when:
- with nothing under way, of exactly the applied events: every page of every feed is the definition's;
- at any moment, of a page read while everything goes on: in order, nothing twice, nothing missing that the applied
  events put there and no other event takes away, nothing shown that no event could have put there;
- at the end, of all events; and once more when rows have expired.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from copy import copy
from functools import partial
from random import Random
from typing import NamedTuple

from events.ids import AccountId, Millis
from events.log import Positions, TopicPartition
from projectors.fan_out import FanOut
from query_api.filling import fill
from stores.composed.home_feed import HybridHomeFeed
from stores.home_feed import HomeFeed
from stores.pages import Page
from stores.sink import StoreUnavailable
from stores.user_timelines import Activity

from ..laws import Violation, require
from .cassandra import MemoryFacts, MemoryHomeTimelines, MemoryReading, Pause
from .community import PARTITIONS, PartitionedLog, People
from .definition import TAKING_AWAY, Told, told
from .query_process import QueryProcess
from .workers import KEEPING, Task, Worker, finish

ACTS = 400
WORKERS = 2
SKEW_MS = 400
LONGEST_REST = 4_000
"""Steps of every worker until all events are applied."""
PLACES = [TopicPartition(topic, n) for topic in sorted(FanOut.topics()) for n in range(PARTITIONS)]
HOUR = 3_600_000


class Result(NamedTuple):
    """What a run came to."""

    digest: str
    happened: Counter[str]


class World:
    """Everything there is in a run."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.happened: Counter[str] = Counter()
        self.log = PartitionedLog()
        self.people = People(self.chance, self.log)
        self.failing = False
        self.miscount = self.chance.choice((0, 1, 3))
        self.slow = self.chance.random() < 0.5
        self.facts = MemoryFacts(self._pause, lambda: self.chance.randint(-self.miscount, self.miscount))
        self.home = MemoryHomeTimelines(self._pause, self._clock(), KEEPING)
        self.kept = copy(self.home)
        self.held: set[TopicPartition] = set()
        self.fetched = Positions()
        self.before_the_loss = Positions()
        self.process = self._process()
        self.workers: list[Worker] = []
        self.zombies: list[Worker] = []
        self.readers: list[Task] = []
        self._deal()

    def _clock(self) -> partial[Millis]:
        return partial(self._time, self.chance.randint(-SKEW_MS, SKEW_MS))

    def _time(self, skew: int) -> Millis:
        return Millis(self.people.now + skew)

    def _pause(self) -> Pause:
        if self.failing and self.chance.random() < 0.002:
            self.happened["store unavailable"] += 1
            raise StoreUnavailable("unavailable")
        return Pause()

    def _worker(self, places: list[TopicPartition]) -> Worker:
        return Worker(
            self.log, self.facts, self.home, self._clock(), self.chance, places, self.held, self.fetched,
            self.process.applied,
        )  # fmt: skip

    def _process(self) -> QueryProcess:
        return QueryProcess(lambda muted: MemoryReading(self._pause, self.facts, self.home, muted, self.chance.choice))

    def _deal(self) -> None:
        """Every partition has one worker."""
        places = self.chance.sample(PLACES, len(PLACES))
        self.workers = [self._worker(sorted(places[n::WORKERS])) for n in range(WORKERS)]

    # What happens

    def run(self) -> Result:
        """Live through the seed. Raises Violation."""
        loss = self.chance.choice((0, 0, 0.4, 3))  # tiers take long to change, and begin anew with the store
        acts = (
            (self.people.act, 34), (self.work, 60), (self.look, 10), (self.read_on, 40), (self.check, 5),
            (self.hear, 20), (self.crash, 2), (self.rebalance, 2), (self.people.copy, 2), (self.hold, 4),
            (self.wait, 10), (self.keep, 2), (self.go_back, loss), (self.lose, loss),
        )  # fmt: skip
        functions, weights = [a for a, _ in acts], [w for _, w in acts]
        try:
            for act in self.chance.choices(functions, weights, k=ACTS):
                self.happened[act.__name__] += 1
                act()
                self.people.pass_time(self.chance.choice((0, 0, 0, 1, 20)))
            self.come_to_rest()
            self.judge()
            self.people.pass_time(self.chance.choice((1, 8, 20)) * HOUR)
            self.judge()
            self.happened += self.home.moved
            self._count_remembered()
            return Result(self._digest(), self.happened)
        finally:
            self._drop_everybody()

    def _drop_everybody(self) -> None:
        for worker in self.workers + self.zombies:
            worker.close()
        for reader in self.readers:
            reader.close()
        self.workers, self.zombies, self.readers = [], [], []

    def work(self) -> None:
        """Somebody goes on for some steps."""
        stuck = self.zombies and self.chance.random() < 0.15
        worker = self.chance.choice(self.zombies if stuck else self.workers)
        self.failing = True
        for _ in range(self.chance.choice((1, 2, 4) if stuck else (1, 2, 4, 8, 16, 40))):
            worker.step()
            if worker.between_batches and worker in self.zombies:
                self.zombies.remove(worker)
                worker.close()
                break
        self.failing = False

    def crash(self) -> None:
        """A worker dies where it stands; another one takes its partitions."""
        n = self.chance.randrange(WORKERS)
        self.workers[n].close()
        self.workers[n] = self._worker(self.workers[n].places)

    def rebalance(self) -> None:
        """Partitions change hands, and some of those who had them do not know it yet."""
        for worker in self.workers:
            if worker.between_batches or self.chance.random() < 0.4:
                worker.close()
            else:
                self.zombies.append(worker)
        self._deal()

    def hold(self) -> None:
        """Some partitions are slow, others catch up."""
        self.held.clear()
        self.held.update(self.chance.sample(PLACES, self.chance.choice((0, 0, 2, 5, 9))))

    def wait(self) -> None:
        """Time passes. Nobody reads for a minute, but a worker may be stuck for hours."""
        hours = (HOUR, 5 * HOUR, 12 * HOUR, 31 * HOUR)
        ms = self.chance.choice((100, 500, 20_000, 70_000, 70_000, *(hours if self.slow else ())))
        while ms > 1_000 and self.readers:
            self.read_on()
        self.people.pass_time(ms)

    def keep(self) -> None:
        """The timelines' store is backed up."""
        self.kept = copy(self.home)

    def go_back(self) -> None:
        """The store is put back to how it was; until it has caught up, so are its answers."""
        self.before_the_loss = Positions()
        self._lost(copy(self.kept))

    def lose(self) -> None:
        """The store is lost, with its positions; answers stay as they were."""
        self.before_the_loss = self.applied()
        self._lost(MemoryHomeTimelines(self._pause, self.home.now, KEEPING))

    def _lost(self, home: MemoryHomeTimelines) -> None:
        self.happened += self.home.moved
        self._count_remembered()
        self._drop_everybody()
        self.home = home
        self.process = self._process()
        self._deal()

    def _count_remembered(self) -> None:
        remembered = self.process.memory.timelines
        for name, rows in (("viewers", remembered.viewers), ("rows", remembered)):
            self.happened[f"{name} remembered"] += rows.asked - rows.missed

    # Looking

    def feed(self, muted: Told) -> HybridHomeFeed:
        """The feed as a query process reads it."""
        reading = self.process.timelines(muted.muted_by, self.people.community.accounts)
        return HybridHomeFeed(reading, self._clock(), KEEPING)

    def noted(self) -> Positions:
        """Where the timelines stand."""
        return Positions((place, reached.offset) for place, reached in self.home.places.items())

    def applied(self) -> Positions:
        """Positions that answers must include, once they are known to be applied."""
        return self.noted().merged(self.before_the_loss)

    def hear(self) -> None:
        """The query process hears of a batch, or looks for itself how far the timelines are."""
        if self.chance.random() < 0.1:
            self.process.look(self.noted())
        else:
            self.process.hear()

    def look(self) -> None:
        """Somebody begins to read a page."""
        self.readers.append(self._look())

    def read_on(self) -> None:
        """Somebody reads on."""
        if self.readers:
            reader = self.chance.choice(self.readers)
            for _ in range(self.chance.choice((1, 2, 4, 8))):
                try:
                    reader.send(None)
                except StopIteration:
                    self.readers.remove(reader)
                    break

    async def _look(self) -> None:
        viewer = self.chance.choice(self.people.community.accounts)
        applied = self.process.known.merged(self.before_the_loss)
        muted = told(self.log.everything())
        limit, before = self.chance.randint(1, 6), None
        for _ in range(self.chance.choice((1, 2, 4))):
            page = await self.feed(muted).page(viewer, before, limit)
            self.happened["pages read meanwhile"] += 1
            self._judge_page(viewer, applied, page, before, limit)
            before = page.next
            if before is None:
                break

    def _judge_page(
        self, viewer: AccountId, applied: Positions, page: Page[Activity], before: str | None, limit: int
    ) -> None:
        least, most = told(self.log.below(applied)), told(self.log.below(applied))
        for record in self.log.everything():
            if record.offset >= applied.get(record.place, 0):
                (least if isinstance(record.event, TAKING_AWAY) else most).tell(record.event)
        most.deleted.clear()  # what is deleted or hidden is left to whoever shows it
        most.blocks.clear()
        most.mutes.clear()
        ids = [activity.id for activity in page.items]
        require(len(ids) <= limit and ids == sorted(set(ids), reverse=True), f"a page is out of order: {ids}")
        due = [a for a in least.feed(viewer) if (before is None or a.id < before) and a.id >= (page.next or "")]
        missing = [activity for activity in due if activity not in page.items]
        require(not missing, f"{self.name(viewer)} before {before}: meanwhile {missing} are not shown")
        strange = [activity for activity in page.items if activity not in most.feed(viewer)]
        require(not strange, f"{self.name(viewer)} before {before}: meanwhile {strange} are shown")

    def check(self) -> None:
        """With all batches ended, or done again by others: feeds are exactly those of the applied events."""
        for worker in self.workers:
            while not worker.between_batches:
                worker.step()
        applied = self.applied()
        if any(applied.get(place, 0) < end for place, end in self.fetched.items()):
            return  # a batch that was cut off, or a store put back: facts are ahead of what is noted
        self.happened["checks between batches"] += 1
        self.process.look(self.noted())
        state = told(self.log.below(applied))
        for viewer in self.chance.sample(self.people.community.accounts, 3):
            self.walk(self.feed(state), state, viewer)

    def come_to_rest(self) -> None:
        """Apply all events."""
        self.held.clear()
        while self.zombies:
            self.work()
        ends = Positions((place, end) for place, end in self.log.ends().items() if place in PLACES)
        self.before_the_loss = Positions()
        for _ in range(LONGEST_REST):
            for worker in self.workers:
                worker.step()
            if all(worker.between_batches for worker in self.workers) and self.applied().covers(ends):
                return
        raise Violation("the workers never get to the end")

    def judge(self) -> None:
        """Every feed, page by page."""
        self.process.look(self.noted())
        state = told(self.log.everything())
        for viewer in self.people.community.accounts:
            self.walk(self.feed(state), state, viewer)

    def walk(self, feed: HomeFeed, state: Told, viewer: AccountId) -> None:
        """Turn every page of a feed: the definition's."""
        due = state.feed(viewer)
        limit = self.chance.randint(1, 7)
        before: str | None = None

        async def shown(activities: list[Activity]) -> list[Activity]:
            return [activity for activity in activities if state.sees(viewer, activity)]

        for _ in range(1_000):
            page = finish(fill(partial(feed.page, viewer), shown, before, limit))
            self.happened["pages"] += 1
            here, due = due[: len(page.items)], due[len(page.items) :]
            require(page.items == here, f"{self.name(viewer)} before {before}: {page.items} instead of {here}")
            require(len(page.items) <= limit, f"{self.name(viewer)}: too many items")
            before = page.next
            if before is None:
                require(not due, f"{self.name(viewer)}: the feed ends before {due}")
                return
        raise Violation(f"the feed of {self.name(viewer)} never ends")

    def name(self, account: AccountId) -> str:
        """An account's number, which is easier to follow than its id."""
        return f"account {self.people.community.accounts.index(account)}"

    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for viewer, rows in sorted(self.home.rows.items()):
            digest.update(repr((viewer, sorted(rows.cells.items()))).encode())
        digest.update(repr(sorted(self.happened.items())).encode())
        return digest.hexdigest()


def simulate(seed: int) -> Result:
    """Live through a seed. Raises Violation."""
    try:
        return World(seed).run()
    except Violation:
        raise
    except Exception as error:
        raise Violation(f"a fault that nobody expects: {error!r}") from error
