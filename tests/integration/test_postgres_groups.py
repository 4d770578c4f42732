"""Commands that share a transaction on PostgreSQL: each is decided and answered as if it were alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from command_api.deciding import Decided, Outcome
from command_api.domain.errors import AccountNotFound, TweetNotFound
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.register_account import EmailIsTaken, NameTaken
from command_api.facts import Facts
from command_api.postgres.writing import lock_number
from events.ids import AccountId, Millis, TweetId, id_at
from events.log import LogUnavailable
from events.publishing import Outgoing
from events.tweets import TweetPosted
from tests.contracts.commands import (
    ALICE,
    BOB,
    CAROL,
    NOTES,
    SAY,
    Noted,
    a_decision,
    by,
    follow,
    like,
    notes,
    post,
    posted,
    relation,
    settle,
)
from tests.integration.test_postgres_commands import registering
from tests.on_postgres import PostgresSystem, World, a_world, until
from tests.records import event_of

pytestmark = pytest.mark.engines

AUTHORS = [AccountId(id_at(Millis(1), f"author {n}")) for n in range(40)]


@pytest.fixture
async def world(postgres: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(postgres, tmp_path) as made:
        yield made


@pytest.fixture
async def system(world: World) -> PostgresSystem:
    made = world.process(**NOTES)
    await settle(made)
    await asyncio.gather(
        *(
            made.store.execute(IMPORT_ACCOUNT, ImportAccount(account, f"author{n}", "A"), by(account), SAY)
            for n, account in enumerate(AUTHORS)
        )
    )
    return made


def transactions(system: PostgresSystem, table: str) -> int:
    """Return the number of transactions that wrote the rows of a table."""
    [(count,)] = system.select(f"SELECT count(DISTINCT xmin::text) FROM {table}")
    return int(count)


async def test_commands_that_come_at_once_share_a_transaction_and_each_has_its_own_answer(
    world: World, system: PostgresSystem
) -> None:
    posting = [post(system, author, f"by {n}", key="one") for n, author in enumerate(AUTHORS)]
    outcomes = await asyncio.gather(*(call for _, call in posting))
    assert transactions(system, "decision_tweets") == 1
    tweets = [record for record in await world.records() if record.topic == "tweets"]
    stood = {event_of(record, TweetPosted).tweet: record for record in tweets}
    for (tweet, _), outcome, author, n in zip(posting, outcomes, AUTHORS, range(40), strict=True):
        record = stood[tweet]
        event = event_of(record, TweetPosted)
        assert (event.author, event.text) == (author, f"by {n}")
        assert outcome.token.positions == {record.place: record.offset + 1}
        assert not outcome.replayed
    again = await asyncio.gather(*(post(system, author, "another", key="one")[1] for author in AUTHORS))
    assert [(one.answer, one.token) for one in again] == [(one.answer, one.token) for one in outcomes]
    assert all(one.replayed for one in again)


async def test_commands_of_every_kind_share_a_transaction(world: World, system: PostgresSystem) -> None:
    tweet = await posted(system)
    outcomes = await asyncio.gather(
        like(system, tweet, BOB),
        like(system, tweet, CAROL),
        follow(system, ALICE, BOB),
        follow(system, CAROL, BOB, key="one"),
        post(system, BOB, "a reply", reply_to=tweet)[1],
        post(system, CAROL, "hello")[1],
        system.store.execute(a_decision(lambda facts: [Noted("kept")], (("personal", ALICE),)), None, by(ALICE), SAY),
    )
    told = [outcome.answer.body for outcome in outcomes]
    assert told == [b"TweetLiked"] * 2 + [b"AccountFollowed"] * 2 + [b"TweetPosted"] * 2 + [b"Noted"]
    assert transactions(system, "decision_likes") == transactions(system, "decision_follows") == 1
    assert notes(system) == ["kept"]
    assert (await relation(system, CAROL, BOB)).following


async def test_a_refused_or_failing_command_does_not_affect_others_of_its_group(world: World) -> None:
    class TooLarge(Exception):
        pass

    def check(record: Outgoing) -> None:
        if len(record.value) > 2_000:
            raise TooLarge

    def faulty(facts: Facts) -> Decided:
        raise ZeroDivisionError

    system = world.process(check=check)
    await settle(system)
    nobody = AccountId(id_at(Millis(1), "nobody"))
    outcomes = await asyncio.gather(
        post(system, ALICE)[1],
        post(system, nobody)[1],
        follow(system, BOB, nobody, key="refused"),
        like(system, TweetId(id_at(Millis(1), "never"))),
        post(system, CAROL, "x" * 3_000)[1],
        system.store.execute(a_decision(faulty, (("personal", ALICE),)), None, by(ALICE), SAY),
        follow(system, ALICE, BOB),
        return_exceptions=True,
    )
    good = [outcome.answer.status for n in (0, 2, 6) if isinstance(outcome := outcomes[n], Outcome)]
    assert good == [200, 409, 200]
    bad = [type(outcomes[n]) for n in (1, 3, 4, 5)]
    assert bad == [AccountNotFound, TweetNotFound, TooLarge, ZeroDivisionError]
    assert transactions(system, "decision_tweets") == 1
    assert [event_of(r, TweetPosted).author for r in await world.records() if r.topic == "tweets"] == [ALICE]
    await posted(system, CAROL)


async def test_a_command_that_the_database_refuses_is_removed_from_its_group(
    world: World, system: PostgresSystem
) -> None:
    wanting = [AccountId(id_at(Millis(3), f"wanting {n}")) for n in range(6)]
    outcomes = await asyncio.gather(
        *(registering(system, account, f"name{n}", "one@example.org", f"s{n}") for n, account in enumerate(wanting)),
        *(post(system, author)[1] for author in AUTHORS),
        system.store.execute(
            a_decision(lambda facts: [Noted("twice"), Noted("twice")], (("personal", BOB),)), None, by(BOB), SAY
        ),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes[:6] if isinstance(outcome, Exception)]
    assert [type(error) for error in refused] == [EmailIsTaken] * 5
    assert not any(isinstance(outcome, NameTaken) for outcome in outcomes)
    bodies = [outcome.answer.body for outcome in outcomes[6:46] if isinstance(outcome, Outcome)]
    assert bodies == [b"TweetPosted"] * 40
    assert isinstance(outcomes[46], Exception)
    assert notes(system) == []
    await world.drained()
    assert len([r for r in await world.records() if r.topic == "tweets"]) == 40


async def test_a_command_does_not_wait_for_the_locks_of_others_in_its_group(
    world: World, system: PostgresSystem
) -> None:
    async with system.pool.connection() as elsewhere:
        await elsewhere.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("tweets", ALICE),))
        waiting = asyncio.ensure_future(post(system, ALICE)[1])
        others = [asyncio.ensure_future(post(system, author)[1]) for author in (BOB, CAROL)]
        await asyncio.gather(*others)
        assert not waiting.done()
    assert (await waiting).answer.body == b"TweetPosted"


async def test_where_there_is_room_for_some_of_a_group_the_others_are_refused(world: World) -> None:
    system = world.process(most_waiting=43 + 10)
    await settle(system)
    for n, account in enumerate(AUTHORS):
        await system.store.execute(IMPORT_ACCOUNT, ImportAccount(account, f"author{n}", "A"), by(account), SAY)
    await world.drained()
    world.log.unavailable = True
    for author in AUTHORS:
        await post(system, author)[1]
    await until(lambda: len(world.waiting()) == 40)
    outcomes = await asyncio.gather(*(following(system, n) for n in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, LogUnavailable) for outcome in outcomes) == 7
    assert sum(bool(outcome.token.rows) for outcome in outcomes if not isinstance(outcome, BaseException)) == 13
    assert len(world.waiting()) == 53


def following(system: PostgresSystem, n: int) -> Awaitable[Outcome]:
    return follow(system, AUTHORS[n], AUTHORS[n + 1])


async def test_tweets_of_each_account_keep_their_order(world: World, system: PostgresSystem) -> None:
    wanted: dict[AccountId, list[TweetId]] = {author: [] for author in AUTHORS[:5]}
    calls = []
    for n in range(60):
        author = AUTHORS[n % 5]
        tweet, call = post(system, author, f"{n}")
        wanted[author].append(tweet)
        calls.append(call)
    await asyncio.gather(*calls)
    stood: dict[AccountId, list[TweetId]] = {author: [] for author in wanted}
    for record in await world.records():
        if isinstance(record.event, TweetPosted):
            stood[record.event.author].append(record.event.tweet)
    assert stood == wanted
