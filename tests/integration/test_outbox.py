"""The path of an event from its commit to the log: published at once and in order, or left to the relay."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from command_api.deciding import Answer, Decision
from command_api.domain.block_account import BLOCK_ACCOUNT, BlockAccount
from command_api.domain.errors import Blocked
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.unblock_account import UNBLOCK_ACCOUNT, UnblockAccount
from command_api.domain.unfollow_account import UNFOLLOW_ACCOUNT, UnfollowAccount
from command_api.postgres.outbox import insert
from command_api.postgres.tokens import OutboxTokens
from command_api.sqlite.rebuild import decision_digest, rebuild_decision_state
from events.codec import Codec
from events.consistency_token import ConsistencyToken
from events.event import Envelope
from events.graph import AccountFollowed
from events.ids import AccountId, EventId
from events.log import LogUnavailable, New, Positions, Record
from events.publishing import Outgoing, outgoing
from events.tweets import TweetPosted
from tests.contracts.commands import ALICE, BOB, CAROL, SAY, by, engagement, follow, like, post, posted, settle
from tests.contracts.embedded import EMAIL_KEY
from tests.on_postgres import LogPublisher, PostgresSystem, World, a_world, until
from tests.records import event_of

pytestmark = pytest.mark.engines


@pytest.fixture
async def world(postgres: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(postgres, tmp_path) as made:
        yield made


@pytest.fixture
async def system(world: World) -> PostgresSystem:
    """A process, with accounts."""
    made = world.process()
    await settle(made)
    return made


def tweets(records: list[Record]) -> list[str]:
    return [event_of(record, TweetPosted).tweet for record in records if record.topic == "tweets"]


async def test_an_answered_write_stands_in_the_log_and_is_noted_with_its_positions(
    world: World, system: PostgresSystem
) -> None:
    outcome = await post(system)[1]
    [record] = [record for record in await world.records() if record.topic == "tweets"]
    assert outcome.token.positions == {record.place: record.offset + 1}
    await world.drained()
    rows = system.select("SELECT positions, length(value), owner FROM outbox WHERE topic='tweets'")
    assert rows == [(str(outcome.token.positions), 0, None)]


async def test_a_write_is_durable_and_answered_with_its_row_while_the_log_is_unavailable(
    world: World, system: PostgresSystem
) -> None:
    tweet = await posted(system)
    world.log.unavailable = True
    outcome = await like(system, tweet)
    assert outcome.answer == Answer(200, b"TweetLiked", (("x-decided", "yes"),))
    assert (await engagement(system, BOB, tweet)).liked
    await until(lambda: [owner for _, _, owner in world.waiting()] == [None])
    assert outcome.token == ConsistencyToken(rows=frozenset(number for number, _, _ in world.waiting()))


async def test_a_log_that_does_not_answer_in_time_is_not_waited_for(world: World, system: PostgresSystem) -> None:
    hasty = world.process(bound_s=0.05)
    world.log.hold()
    outcome = await follow(hasty)
    assert outcome.token.rows
    await until(lambda: [owner for _, _, owner in world.waiting()] == [None])


class HoldsOne:
    """Publishes everything at once, but the first tweet when it is told to."""

    def __init__(self, publisher: LogPublisher) -> None:
        self.publisher = publisher
        self.first, self.go_on = asyncio.Event(), asyncio.Event()

    async def publish(self, records: list[Outgoing]) -> Positions:
        if records[0].topic == "tweets" and not self.first.is_set():
            self.first.set()
            await self.go_on.wait()
        return await self.publisher.publish(records)


async def test_a_command_waits_for_the_one_before_it_of_the_same_entity(world: World, system: PostgresSystem) -> None:
    publisher = HoldsOne(world.log.publisher(system.sealer))
    holding = world.process(publisher=publisher, bound_s=20)
    first, posting = post(holding)
    firstly = asyncio.ensure_future(posting)
    await publisher.first.wait()
    second, posting = post(holding)
    secondly = asyncio.ensure_future(posting)
    await until(lambda: len(world.waiting()) == 2)
    other = await posted(holding, BOB)  # time enough for the second, if it did not wait
    publisher.go_on.set()
    outcomes = [await firstly, await secondly]
    assert not any(outcome.token.rows for outcome in outcomes)
    assert tweets(await world.records()) == [other, first, second]


async def test_later_events_of_an_entity_wait_for_a_row_left_to_the_relay(world: World, system: PostgresSystem) -> None:
    world.log.unavailable = True
    first = await post(system)[1]
    world.log.unavailable = False
    second = await post(system)[1]
    assert len(first.token.rows | second.token.rows) == 2
    assert tweets(await world.records()) == []
    assert not (await post(system, BOB)[1]).token.rows, "another's way is free"
    async with world.relay():
        await world.drained()
    assert len(tweets(await world.records())) == 3


async def test_events_wait_for_a_row_that_another_process_is_publishing(world: World, system: PostgresSystem) -> None:
    other = world.process()
    before = await posted(other)  # it knows of a flight of this entity, which arrived
    await world.drained()
    world.log.hold()
    first, posting = post(system)
    firstly = asyncio.ensure_future(posting)
    await world.log.waiting.wait()
    second, posting = post(other)
    secondly = await posting
    assert secondly.token.rows
    world.log.release()
    assert not (await firstly).token.rows
    async with world.relay():
        await world.drained()
    assert tweets(await world.records()) == [before, first, second]


async def test_a_command_over_two_entities_waits_for_both(world: World, system: PostgresSystem) -> None:
    await follow(system, BOB, ALICE)
    world.log.unavailable = True
    await follow(system, BOB, CAROL)
    world.log.unavailable = False
    blocked = await system.store.execute(BLOCK_ACCOUNT, BlockAccount(ALICE, BOB), by(ALICE), SAY)
    assert len(blocked.token.rows) == 2
    async with world.relay():
        await world.drained()
    kinds = [record.type for record in await world.records() if record.key == BOB and record.topic == "graph"]
    assert kinds == ["AccountFollowed", "AccountFollowed", "AccountUnfollowed"]


async def test_a_command_that_changes_nothing_names_the_row_that_made_it_so(
    world: World, system: PostgresSystem
) -> None:
    tweet = await posted(system)
    world.log.unavailable = True
    first = await like(system, tweet)
    assert (await like(system, tweet)).token == first.token
    world.log.unavailable = False
    async with world.relay():
        await world.drained()
    again = (await like(system, tweet)).token.positions
    [record] = [record for record in await world.records() if record.topic == "engagement"]
    assert again == {record.place: record.offset + 1}


async def test_a_replay_knows_the_positions_that_the_write_has_by_now(world: World, system: PostgresSystem) -> None:
    tweet = await posted(system)
    world.log.unavailable = True
    first = await like(system, tweet, key="one")
    assert (await like(system, tweet, key="one")).token == first.token
    world.log.unavailable = False
    async with world.relay():
        await world.drained()
    replayed = await like(world.process(), tweet, key="one")
    assert replayed.replayed
    [record] = [record for record in await world.records() if record.topic == "engagement"]
    assert replayed.token.positions == {record.place: record.offset + 1}


async def test_a_token_waits_until_its_row_is_published(world: World, system: PostgresSystem) -> None:
    tokens = OutboxTokens(system.pool, world.log.log.ends)
    world.log.unavailable = True
    outcome = await post(system)[1]
    settling = asyncio.ensure_future(tokens.positions(outcome.token, 20))
    assert await tokens.positions(outcome.token, 0.05) is None
    world.log.unavailable = False
    async with world.relay():
        settled = await settling
    [record] = [record for record in await world.records() if record.topic == "tweets"]
    assert settled == {record.place: record.offset + 1}
    assert await tokens.positions(ConsistencyToken(settled), 0) == settled


async def test_a_token_whose_row_is_gone_waits_for_the_end_of_the_log(world: World, system: PostgresSystem) -> None:
    tokens = OutboxTokens(system.pool, world.log.log.ends)
    world.log.unavailable = True
    outcome = await post(system)[1]
    world.log.unavailable = False
    async with world.relay(kept_s=0.0):
        await until(lambda: system.select("SELECT 1 FROM outbox") == [])
    assert await tokens.positions(outcome.token, 20) == await world.log.log.ends()


async def test_writes_are_refused_at_the_limit_of_waiting_rows(world: World) -> None:
    system = world.process(most_waiting=10)
    await settle(system)
    tweet = await posted(system)
    world.log.unavailable = True
    outcomes = [await post(system, key=f"key {n}")[1] for n in range(10)]
    assert all(outcome.token.rows for outcome in outcomes)
    before = system.snapshot()
    others: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: post(system)[1],
        lambda: like(system, tweet),
        lambda: like(system, tweet, key="liked"),
    )
    for another in others:
        with pytest.raises(LogUnavailable, match="10 events wait"):
            await another()
    assert system.snapshot() == before
    assert (await post(system, key="key 3")[1]).replayed, "what was answered is answered again"
    world.log.unavailable = False
    async with world.relay():
        await world.drained()
    assert not (await like(system, tweet, key="liked")).token.rows
    assert len(tweets(await world.records())) == 11


async def test_transactions_that_commit_in_another_order_than_they_began_are_all_published(
    world: World, system: PostgresSystem
) -> None:
    """A row number is given before the commit: whoever looks for numbers past the last one would miss this row."""

    def followed(follower: AccountId) -> Outgoing:
        event = AccountFollowed(follower=follower, followee=CAROL)
        return outgoing(New(event, Envelope(EventId(system.ids.issue()), system.clock())), Codec(system.sealer))

    async with world.relay():
        async with system.pool.connection() as slow:
            sql, values = insert([(followed(ALICE), None)])
            await slow.execute(sql.encode(), values)
            async with system.pool.connection() as quick:
                sql, values = insert([(followed(BOB), None)])
                await quick.execute(sql.encode(), values)
            await until(lambda: len(world.log.published) == 4)
        await world.drained()
    [first, second] = [record for record in await world.records() if record.topic == "graph"]
    assert (first.key, second.key) == (BOB, ALICE)
    assert first.about.id > second.about.id


async def test_two_accounts_at_once_on_processes_whose_clocks_differ(world: World, system: PostgresSystem) -> None:
    """Ids of each entity ascend in the log all the same, and what was decided is what the log says."""
    clocks = (lambda: world.clock() + 45_000, lambda: world.clock() - 10_000)
    processes = [world.process(clock=clock) for clock in clocks]
    kinds: list[tuple[Decision[Any, Any], Callable[[AccountId, AccountId], object]]] = [
        (FOLLOW_ACCOUNT, FollowAccount), (UNFOLLOW_ACCOUNT, UnfollowAccount),
        (BLOCK_ACCOUNT, BlockAccount), (UNBLOCK_ACCOUNT, UnblockAccount),
    ]  # fmt: skip

    async def busy(process: PostgresSystem, actor: AccountId, other: AccountId, chance: Random) -> None:
        for _ in range(40):
            decision, command = chance.choice(kinds)
            with suppress(Blocked):
                await process.store.execute(decision, command(actor, other), by(actor), SAY)

    async with world.relay():
        await asyncio.gather(
            *(
                busy(process, *pair, random.Random(f"{place}{pair}"))
                for place, process in enumerate(processes)
                for pair in ((ALICE, BOB), (BOB, ALICE), (ALICE, BOB))
            )
        )
        await world.drained()
    records = await world.records()
    for account in (ALICE, BOB):
        ids = [record.about.id for record in records if (record.topic, record.key) == ("graph", account)]
        assert len(ids) > 10
        assert ids == sorted(set(ids))
    folded = apsw.Connection(":memory:")
    await rebuild_decision_state(world.log.log, folded, EMAIL_KEY, await world.log.log.ends())
    assert decision_digest(folded) == system.snapshot().digest
