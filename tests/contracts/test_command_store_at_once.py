"""Every adapter of the CommandStore port executes many commands of one call."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from command_api.deciding import Context, Decision, Outcome, Refused
from command_api.domain.errors import AccountNotFound
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.domain.unfollow_account import UNFOLLOW_ACCOUNT, UnfollowAccount
from events.entities import Entities
from events.ids import AccountId, Millis, TweetId, id_at
from events.tweets import TweetPosted
from tests.contracts.commands import ALICE, BOB, CAROL, SAY, Open, System, by, posted, records, relation, settle
from tests.records import event_of

Command = tuple[Decision[Any, Any], Any, Context]
NOBODY = AccountId(id_at(Millis(1), "nobody"))


def follow(actor: AccountId, other: AccountId) -> tuple[Decision[Any, Any], FollowAccount, Context]:
    return FOLLOW_ACCOUNT, FollowAccount(actor, other), by(actor)


def unfollow(actor: AccountId, other: AccountId) -> tuple[Decision[Any, Any], UnfollowAccount, Context]:
    return UNFOLLOW_ACCOUNT, UnfollowAccount(actor, other), by(actor)


def tweets(
    system: System, number: int, authors: tuple[AccountId, ...] = (ALICE, BOB, CAROL)
) -> list[tuple[Decision[Any, Any], PostTweet, Context]]:
    found = []
    for n in range(number):
        author, tweet = authors[n % len(authors)], TweetId(system.ids.issue())
        found.append((POST_TWEET, PostTweet(author, tweet, f"tweet {n}", Entities()), by(author)))
    return found


def taken(outcome: Outcome | Refused) -> Outcome:
    """Return the result of a command that was not refused."""
    assert isinstance(outcome, Outcome)
    return outcome


async def executed(
    system: System, commands: Sequence[Command], in_time: Callable[[], bool] = lambda: True
) -> list[Outcome | Refused]:
    return await system.store.execute_some(commands, SAY, in_time)


async def test_outcomes_have_the_order_of_the_commands_and_a_refusal_affects_one_command(
    system: System,
) -> None:
    await settle(system)
    outcomes = await executed(
        system, [follow(ALICE, BOB), follow(ALICE, NOBODY), follow(BOB, ALICE), follow(NOBODY, ALICE)]
    )
    assert [type(outcome) for outcome in outcomes] == [Outcome, AccountNotFound, Outcome, Outcome]
    assert (await relation(system, ALICE, BOB)).following
    assert (await relation(system, BOB, ALICE)).following


async def test_commands_on_an_entity_are_decided_in_order(system: System) -> None:
    await settle(system)
    again = [follow(ALICE, BOB), follow(ALICE, BOB), unfollow(ALICE, BOB), unfollow(ALICE, BOB), follow(ALICE, BOB)]
    outcomes = await executed(system, again)
    said = [taken(outcome).answer.body for outcome in outcomes]
    assert said == [b"AccountFollowed", b"", b"AccountUnfollowed", b"", b"AccountFollowed"]
    assert taken(outcomes[1]).token == taken(outcomes[0]).token
    events = [record.type for record in await records(system.log) if record.topic == "graph"]
    assert events == ["AccountFollowed", "AccountUnfollowed", "AccountFollowed"]


async def test_events_of_each_author_are_in_the_log_in_order(make: Open) -> None:
    system = make(partitions=4)
    await settle(system)
    commands = tweets(system, 200)
    outcomes = await executed(system, commands)
    assert len(outcomes) == 200
    stood = [record for record in await records(system.log) if record.topic == "tweets"]
    by_id = {event_of(record, TweetPosted).tweet: record for record in stood}
    for (_, command, _), outcome in zip(commands, outcomes, strict=True):
        record = by_id[command.tweet]
        assert taken(outcome).token.positions == {record.place: record.offset + 1}
    for author in (ALICE, BOB, CAROL):
        wanted = [command.tweet for _, command, _ in commands if command.actor == author]
        assert [
            event.tweet for event in (event_of(record, TweetPosted) for record in stood) if event.author == author
        ] == wanted


@pytest.mark.parametrize("turns", [0, 1])
async def test_after_the_time_limit_no_further_commands_are_executed(system: System, turns: int) -> None:
    await settle(system)
    commands = tweets(system, 400)
    left = [True] * turns

    def in_time() -> bool:
        return bool(left) and left.pop()

    outcomes = await executed(system, commands, in_time)
    assert 0 < len(outcomes) < 400
    stood = [event_of(record, TweetPosted).tweet for record in await records(system.log) if record.topic == "tweets"]
    assert sorted(stood) == [command.tweet for _, command, _ in commands[: len(outcomes)]]
    outcomes += await executed(system, commands[len(outcomes) :])
    assert len(outcomes) == 400
    assert len([record for record in await records(system.log) if record.topic == "tweets"]) == 400


async def test_commands_of_one_call_see_earlier_events_and_later_commands_see_theirs(system: System) -> None:
    await settle(system)
    first = await posted(system)
    replying = TweetId(system.ids.issue())
    reply = POST_TWEET, PostTweet(BOB, replying, "a reply", Entities(), reply_to=first), by(BOB)
    [outcome] = await executed(system, [reply])
    assert taken(outcome).answer.body == b"TweetPosted"
    await posted(system, CAROL, reply_to=replying)
