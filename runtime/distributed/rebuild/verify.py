"""`minitwitter verify` in the distributed profile: derives everything from the log again and compares the results.

The live stores are read while their groups are paused between two batches (paused_batches.py). Then all groups are
built again beside them (scratch_generation.py), up to the positions at which they were paused. A worker that died in
the middle of a batch leaves rows beyond its positions; so a store that differs is read again after another worker has
committed that batch.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from command_api.decision_snapshot import Digest
from command_api.left_out import NOTHING
from command_api.postgres.rebuild import decision_digest, derive_decision_state, live_snapshot
from events.digest import unordered_digest
from events.ids import AccountId, Clock, Millis, from_bytes, wall_clock
from events.log import Positions, lag
from events.topics import DERIVED
from runtime.dead_letters import Waiting
from runtime.distributed.consistency.log_identity import check_fit
from runtime.distributed.engines import Engines
from runtime.distributed.models.catalogue import CASSANDRA, SEARCHES, STORES, on_cassandra, on_postgres
from runtime.distributed.models.generations import Generations
from runtime.distributed.rebuild.batch_runner import Advance, GroupBuild, build
from runtime.distributed.rebuild.derived_topics import DerivedTopics, read_derived
from runtime.distributed.rebuild.paused_batches import pause_name
from runtime.distributed.rebuild.scratch_generation import ScratchGeneration, buildings, scratch_generation
from runtime.distributed.settings import DistributedSettings
from runtime.gc_tuning import freeze_startup_objects
from runtime.settings import Settings
from runtime.verdict import LONGEST_BEHIND_S, CannotVerify, Finding, Verdict, left_out_of_decisions
from stores.cassandra.digest import digests as cassandra_digests
from stores.cassandra.home_timelines import CassandraHomeTimelines
from stores.cassandra.session import CassandraSession
from stores.cassandra.tweets import CassandraTweets
from stores.composed.home_feed import HybridHomeFeed
from stores.groups import COUNTS, TRENDS
from stores.postgres import digests as postgres_digests
from stores.postgres.pauses import BatchStillRunning, PauseLost, paused
from stores.redis.digest import digest as redis_digest
from stores.redis.sink import held
from stores.user_timelines import Activity

ATTEMPTS = 3
SAMPLE, FIRST = 200, 50
"""The number of accounts whose feeds are compared, and the length of each."""
LONGEST_UNSETTLED_S = 10.0
STANDS_STILL_S = 5.0
"""Seconds: if no event was applied for so long, no worker runs. A dead worker is replaced sooner."""
MOVES_S = 10.0
"""Seconds to wait for workers to commit a batch that they began, before a difference counts."""
_LOOK_S = 0.1

Digests = dict[str, tuple[int, str]]


class Look(NamedTuple):
    """The digests of read models and derived topics, at the positions of their groups."""

    positions: dict[str, Positions]
    models: Digests
    ends: Positions
    accounts: Sequence[AccountId]
    feeds: tuple[int, int]


async def verify(settings: Settings, begin: Callable[[int], None], advance: Advance, *, slices: int = 256) -> Verdict:
    """Verify an installation; `begin` receives the number of steps, `advance` the number done.

    Cassandra is read in `slices`. Raises CannotVerify, LogUnavailable, StoreUnavailable and the errors of reading the
    log.
    """
    started = time.perf_counter()
    async with Engines.open(DistributedSettings.of(settings)) as engines:
        await check_fit(engines)
        await engines.read_discards()
        await _check_letters(engines)
        freeze_startup_objects()
        with tempfile.TemporaryDirectory(prefix="minitwitter-verify-") as directory:
            async with scratch_generation(engines) as scratch:
                verifying = _Verification(engines, scratch, Path(directory), begin, advance, slices)
                try:
                    findings, positions, behind, events = await verifying.verify()
                finally:
                    await verifying.close()
    not_compared = verifying.left_out.names()
    return Verdict.of(findings, events, time.perf_counter() - started, positions, behind, not_compared=not_compared)


async def _check_letters(engines: Engines) -> None:
    """Check that no record is set aside: without it the read models differ from the log. Raises CannotVerify,
    StoreUnavailable.
    """
    names = [group for groups in STORES.values() for group in groups]
    found = {name: await engines.letters_of(name).counts() for name in names}
    told = [Waiting(counts.failed, counts.all).sentence(name) for name, counts in found.items() if counts.all]
    if told:
        raise CannotVerify("; ".join(told) + ". Retry or discard them, and verify again")


def _far_future() -> Millis:
    return Millis(1 << 47)


async def sample(cassandra: CassandraSession, keyspace: str) -> list[AccountId]:
    """Return some accounts, chosen by a hash; all if there are few."""
    rows = await cassandra.read(f"SELECT account FROM {keyspace}.users LIMIT {SAMPLE}")
    return [AccountId(from_bytes(account)) for (account,) in rows]


async def served(
    cassandra: CassandraSession, keyspace: str, accounts: Iterable[AccountId], clock: Clock
) -> tuple[int, int]:
    """Return the number of activities in the first pages of these accounts' feeds, and a digest of them.

    The clock is far in the future, so that all pushed rows are below the floor and the feeds are computed by their
    definition. Rows of deleted tweets, which nobody is shown, are left out.
    """
    feed = HybridHomeFeed(CassandraHomeTimelines(cassandra, keyspace, clock), clock)
    tweets = CassandraTweets(cassandra, keyspace)
    rows: list[tuple[AccountId, int, Activity]] = []
    for account in accounts:
        shown: list[Activity] = []
        before: str | None = None
        while len(shown) < FIRST:
            page = await feed.page(account, before, FIRST)
            found = await tweets.by_ids([activity.tweet for activity in page.items])
            there = {id_ for id_, tweet in found.items() if not tweet.deleted}
            shown += (activity for activity in page.items if activity.tweet in there)
            if page.next is None:
                break
            before = page.next
        rows += ((account, place, activity) for place, activity in enumerate(shown[:FIRST]))
    return unordered_digest(rows)


def behind(groups: Iterable[GroupBuild], positions: Mapping[str, Positions], ends: Positions) -> dict[str, int]:
    """Return the lag of each group behind these ends of the log, in events."""
    return {group.name: lag(group.goal(ends), positions[group.name]) for group in groups}


class _Verification:
    def __init__(
        self,
        engines: Engines,
        scratch: ScratchGeneration,
        directory: Path,
        begin: Callable[[int], None],
        advance: Advance,
        slices: int,
    ) -> None:
        self._cassandra, self._redis = engines.cassandra, engines.redis
        self._engines = engines
        self._reader = engines.log
        self._pool = engines.decisions
        self._scratch = scratch
        self._directory = directory
        self._begin = begin
        self._advance = advance
        self._slices = slices
        self._live = engines.generations
        self._derived = DerivedTopics(directory / "derived.db")
        # With a clock in the far future, everything is too old to be delivered, so feeds follow their definition.
        self._buildings = list(buildings(engines, scratch.generations, self._derived, _far_future).values())
        self._livings = buildings(engines, self._live, self._derived)
        self.left_out = NOTHING
        """The entities that the decision state is compared without."""

    async def verify(self) -> tuple[list[Finding], dict[str, Positions], dict[str, int], int]:
        """Return the findings, the positions, the lag behind them, and the number of events that were applied again."""
        ends = await self._reader.ends()
        await self._caught_up(ends)
        for attempt in range(ATTEMPTS):
            live = await self._look()
            if not any(live.positions.values()):
                raise CannotVerify("there are no read models yet; `minitwitter work projectors` makes them")
            self._begin(sum(sum(b.goal(live.positions[b.name]).values()) for b in self._buildings))
            await build(self._reader, self._buildings, live.positions, self._advance)
            findings = [*await self._models(live), await self._feeds(live), *await self._topics(live, attempt)]
            if all(finding.same for finding in findings) or not await self._moved(live):
                break
        self.left_out = await left_out_of_decisions(self._reader)
        decided = await live_snapshot(self._pool, self._reader.ends, self.left_out)
        findings += await self._decisions(decided.positions, decided.digest)
        return findings, live.positions, behind(self._buildings, live.positions, ends), sum(decided.positions.values())

    async def close(self) -> None:
        """Close its own connections."""
        self._derived.close()
        for building in (*self._buildings, *self._livings.values()):
            if building.close is not None:
                await building.close()

    async def _caught_up(self, ends: Positions) -> None:
        """Wait for the groups to reach these ends, as long as they advance."""
        deadline, moved_at, before = time.monotonic() + LONGEST_BEHIND_S, time.monotonic(), None
        while time.monotonic() < min(deadline, moved_at + STANDS_STILL_S):
            in_postgres = {name: await self._livings[name].hosted.positions() for name in STORES[SEARCHES]}
            left = behind(self._buildings, await self._positions() | in_postgres, ends)
            if not any(left.values()):
                return
            if left != before:
                before, moved_at = left, time.monotonic()
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> Look:
        """Read the live stores when no stream has work due: until then topics are no function of the log."""
        names = [pause_name(self._engines.settings.topic_prefix, group) for names in STORES.values() for group in names]
        deadline = time.monotonic() + LONGEST_UNSETTLED_S
        try:
            while True:
                async with paused(self._engines.settings.postgres, names):
                    if not await self._has_due():
                        return await self._standing()
                if time.monotonic() > deadline:
                    raise CannotVerify(
                        "trends have windows left to rank, and go on having them; verify again when less is being"
                        " written, or run `minitwitter work streams` for a moment if it does not run"
                    )
                await asyncio.sleep(_LOOK_S)
        except (BatchStillRunning, PauseLost) as error:
            raise CannotVerify(f"{error}; verify again") from error

    async def _has_due(self) -> bool:
        has_due = self._livings[TRENDS].has_due
        return has_due is not None and await has_due()

    async def _standing(self) -> Look:
        positions = await self._positions()
        models = await self._without_snapshots(self._live)
        in_postgres, searches = await postgres_digests.snapshot(self._live.database, on_postgres(), STORES[SEARCHES])
        accounts = await sample(self._cassandra, self._live.address.keyspace)
        feeds = await served(self._cassandra, self._live.address.keyspace, accounts, wall_clock)
        ends = await self._reader.ends()
        if await self._positions() != positions:
            raise CannotVerify("a process commits batches without waiting for pauses; verify again")
        return Look(positions | in_postgres, models | searches, ends, accounts, feeds)

    async def _positions(self) -> dict[str, Positions]:
        """Return the positions of the groups whose stores have no snapshots. Incomplete counters would be deleted."""
        epoch, counted, _ = await held(self._redis, self._live.keys)
        if not epoch and counted:
            raise CannotVerify("the counters were lost and are counted anew; verify when that is done")
        of_cassandra = {name: await self._livings[name].hosted.positions() for name in STORES[CASSANDRA]}
        return of_cassandra | {COUNTS: counted}

    async def _without_snapshots(self, generations: Generations) -> Digests:
        keyspace = generations.address.keyspace
        found = await cassandra_digests(self._cassandra, keyspace, on_cassandra(), slices=self._slices)
        return found | {"counts": await redis_digest(self._redis, generations.keys)}

    async def _models(self, live: Look) -> list[Finding]:
        started = time.perf_counter()
        rebuilt = await self._without_snapshots(self._scratch.generations)
        rebuilt |= await postgres_digests.digests(self._scratch.generations.database, on_postgres())
        return list(_compared("read model", live.models, rebuilt, started))

    async def _feeds(self, live: Look) -> Finding:
        started = time.perf_counter()
        keyspace = self._scratch.generations.address.keyspace
        rebuilt = await served(self._cassandra, keyspace, live.accounts, _far_future)
        seconds = time.perf_counter() - started
        return Finding("feeds", "home timelines", live.feeds[0], rebuilt[0], live.feeds == rebuilt, seconds)

    async def _topics(self, live: Look, attempt: int) -> list[Finding]:
        started = time.perf_counter()
        published = DerivedTopics(self._directory / f"published-{attempt}.db")
        try:
            await read_derived(self._reader, live.ends, published)
            was, now = ({t: side.digest(t) for t in DERIVED} for side in (published, self._derived))
        finally:
            published.close()
        return list(_compared("topic", was, now, started))

    async def _moved(self, live: Look) -> bool:
        """Wait for groups that were not at the end of the log; return whether any has advanced."""
        behind = [b for b in self._buildings if not b.reached.covers(b.goal(live.ends))]
        deadline = time.monotonic() + MOVES_S
        while behind and time.monotonic() < deadline:
            now = await self._positions()
            if any(now.get(b.name, b.reached) != live.positions[b.name] for b in behind):
                return True
            await asyncio.sleep(_LOOK_S)
        return False

    async def _decisions(self, until: Positions, live: Digest) -> Iterable[Finding]:
        started = time.perf_counter()
        email_key = await self._engines.keys.secret("email")
        await derive_decision_state(
            self._reader, self._scratch.decisions, email_key, until, self._advance, left_out=self.left_out
        )
        async with self._scratch.decisions.connection() as connection:
            await connection.set_autocommit(True)
            rebuilt = await decision_digest(connection, self.left_out)
            await connection.close()
        return _compared("decision state", live, rebuilt, started)


def _compared(
    kind: str, live: Mapping[str, tuple[int, object]], rebuilt: Mapping[str, tuple[int, object]], started: float
) -> Iterator[Finding]:
    seconds = (time.perf_counter() - started) / len(live)
    for name, was in live.items():
        now = rebuilt[name]
        yield Finding(kind, name, was[0], now[0], was == now, seconds)
