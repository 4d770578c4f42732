"""The decision state is a function of the log: a wiped or restored one is rebuilt to the same rows."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import psycopg
import pytest

from command_api.credentials import PasswordOf, SetPassword
from command_api.decision_rows import BY_NAME
from command_api.domain.change_profile import CHANGE_PROFILE, ChangeProfile
from command_api.domain.retweet_tweet import RETWEET_TWEET, RetweetTweet
from command_api.postgres import rebuild
from command_api.postgres.rebuild import (
    SOURCES,
    OutboxNotEmpty,
    catch_up,
    lacking,
    lineage,
    noted_positions,
    rebuild_decision_state,
)
from events.event import Event
from events.ids import ActivityId
from events.log import CorruptLog, LogUnavailable, New, Positions, Record, TopicPartition
from tests.contracts.commands import (
    ALICE,
    BOB,
    CAROL,
    SAY,
    a_decision,
    by,
    edit,
    engagement,
    follow,
    like,
    post,
    posted,
    settle,
    unlike,
)  # fmt: skip
from tests.contracts.embedded import EMAIL_KEY
from tests.on_postgres import PostgresSystem, World, a_database, a_world
from tests.records import event_of

pytestmark = pytest.mark.engines


@pytest.fixture(params=[1, 4], ids=["1 partition", "4 partitions"])
async def world(postgres: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with a_world(postgres, tmp_path, partitions=request.param) as made:
        yield made


@pytest.fixture
async def system(world: World) -> PostgresSystem:
    made = world.process()
    await settle(made)
    await living(made)
    await world.drained()
    return made


async def living(system: PostgresSystem) -> None:
    """Execute commands of most kinds."""
    tweet = await posted(system)
    reply = await posted(system, BOB, reply_to=tweet)
    await edit(system, tweet, "edited")
    await like(system, tweet)
    await unlike(system, tweet)
    await like(system, reply, CAROL)
    await follow(system, ALICE, BOB)
    await follow(system, BOB, ALICE)
    await system.store.execute(
        RETWEET_TWEET, RetweetTweet(CAROL, tweet, ActivityId(system.ids.issue())), by(CAROL), SAY
    )
    await system.store.execute(CHANGE_PROFILE, ChangeProfile(ALICE, bio="a bio"), by(ALICE), SAY)


@pytest.mark.parametrize("limit", [3, 5000])
async def test_a_wiped_state_is_rebuilt_and_equals_what_it_was(
    world: World, system: PostgresSystem, limit: int
) -> None:
    before, answer = system.snapshot(), await post(system, key="one")[1]
    await world.drained()
    before = system.snapshot()
    await system.tamper(f"TRUNCATE {', '.join(BY_NAME)}, entities")
    assert system.snapshot().digest != before.digest
    ends = await world.log.log.ends()
    log = world.log.log
    assert await rebuild_decision_state(log, system.pool, EMAIL_KEY, log.ends, limit=limit) == sum(ends.values())
    assert system.snapshot() == before
    assert await noted_positions(system.pool) == ends
    again = await post(system, key="one")[1]
    assert (again.replayed, again.answer) == (True, answer.answer), "answers are not in the log, and stay"


async def test_ids_go_on_past_the_log_after_a_rebuild(world: World, system: PostgresSystem) -> None:
    await rebuild_decision_state(world.log.log, system.pool, EMAIL_KEY, world.log.log.ends)
    behind = world.process(clock=lambda: world.clock() - 30_000)
    positions = (await follow(behind, ALICE, CAROL)).token.positions
    ids = [r.about.id for r in await world.records() if (r.topic, r.key) == ("graph", ALICE)]
    assert ids == sorted(set(ids))
    assert len(ids) == 2
    assert positions


async def test_copies_in_the_log_are_folded_once(world: World, system: PostgresSystem) -> None:
    before = system.snapshot().digest
    for record in await world.records():
        await world.log.append(New(event_of(record, Event), record.about))
    folded = await rebuild_decision_state(world.log.log, system.pool, EMAIL_KEY, world.log.log.ends, limit=7)
    assert folded == sum((await world.log.log.ends()).values()) / 2
    assert system.snapshot().digest == before


async def test_a_database_that_lives_on_lacks_nothing_and_what_waits_explains_a_gap(
    world: World, system: PostgresSystem
) -> None:
    assert not await lacking(system.pool, await world.log.log.ends(), world.partitions)
    world.log.unavailable = True
    await post(system)[1]
    further = Positions((place, end + 1) for place, end in (await world.log.log.ends()).items())
    waited_for = set(further) - set(await lacking(system.pool, further, world.partitions))
    assert [place.topic for place in waited_for if place.topic in SOURCES] == ["tweets"]
    world.log.unavailable = False


async def test_a_database_restored_from_the_past_folds_what_the_log_has_beyond(
    postgres: str, world: World, system: PostgresSystem
) -> None:
    """Ids, names and versions from after the backup are known before the first decision."""
    async with system.pool.connection() as connection:
        await connection.execute("UPDATE noted_positions SET positions=%s", (str(await world.log.log.ends()),))
    await post(system)[1]  # published, but not noted: it is read again, and dropped like a copy
    await world.drained()
    await system.stop()
    with a_database(postgres, like=str(psycopg.conninfo.conninfo_to_dict(world.url)["dbname"])) as backup:
        tweet = await posted(system)
        await living(system)
        await world.drained()
        lived = system.snapshot()
        restored = world.process()
        restored.url = backup
        await restored.opened()
        assert restored.snapshot().digest != lived.digest
        ends = await world.log.log.ends()
        assert await lacking(restored.pool, ends, world.partitions)
        before = await lineage(restored.pool)
        assert await catch_up(world.log.log, restored.pool, EMAIL_KEY, ends, limit=4) > 5
        after = await lineage(restored.pool)
        assert after != before, "processes that began before find out"
        assert not await lacking(restored.pool, ends, world.partitions)
        assert restored.snapshot().digest == lived.digest
        assert await catch_up(world.log.log, restored.pool, EMAIL_KEY, ends) == 0
        assert await lineage(restored.pool) == after, "and those that began since do not"
        assert (await follow(restored, ALICE, BOB)).answer.body == b""
        await like(restored, tweet)
        [(number,)] = restored.select("SELECT max(number) FROM outbox")
        assert number > 10_000_000_000, "no row takes the number of one that a client has a token of"
        assert (await engagement(restored, BOB, tweet)).liked
        await restored.stop()


async def test_credentials_are_left_alone(world: World, system: PostgresSystem) -> None:
    decision = a_decision(lambda facts: [SetPassword(ALICE, b"hash")])
    await system.store.execute(decision, None, by(ALICE), SAY)
    await rebuild_decision_state(world.log.log, system.pool, EMAIL_KEY, world.log.log.ends)
    password = (await system.store.ask(PasswordOf(ALICE)))[PasswordOf(ALICE)]
    assert password is not None
    assert password.hash == b"hash"


async def test_nothing_is_folded_while_events_wait_that_are_not_in_the_log(
    world: World, system: PostgresSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "_SETTLES_S", 0.0)
    world.log.unavailable = True
    await follow(system, CAROL, ALICE)
    before = system.snapshot().digest
    with pytest.raises(OutboxNotEmpty):
        await rebuild_decision_state(world.log.log, system.pool, EMAIL_KEY, world.log.log.ends)
    assert system.snapshot().digest == before


async def test_a_log_that_ends_too_soon_is_no_log_to_fold(world: World, system: PostgresSystem) -> None:
    async def beyond() -> Positions:
        return (await world.log.log.ends()).merged({TopicPartition("graph", 0): 10_000})

    with pytest.raises(CorruptLog, match="graph-0:10000"):
        await rebuild_decision_state(world.log.log, system.pool, EMAIL_KEY, beyond)


async def test_nothing_is_decided_while_the_state_is_rebuilt(world: World, system: PostgresSystem) -> None:
    class Slow:
        """A log whose reader pauses in the middle."""

        def __init__(self) -> None:
            self.reached = asyncio.Event()
            self.go_on = asyncio.Event()

        async def read(
            self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
        ) -> list[Record]:
            if after:
                self.reached.set()
                await self.go_on.wait()
            return await world.log.log.read(after, limit, topics)

        async def ends(self) -> Positions:
            return await world.log.log.ends()

    log, before = Slow(), system.snapshot().digest
    ends = world.log.log.ends
    rebuilding = asyncio.ensure_future(rebuild_decision_state(log, system.pool, EMAIL_KEY, ends, limit=4))
    await log.reached.wait()
    with pytest.raises(LogUnavailable, match="timeout"):
        await follow(system, CAROL, ALICE)
    log.go_on.set()
    await rebuilding
    assert system.snapshot().digest == before
    await follow(system, CAROL, ALICE)
