"""The contract of the CommandStore port, for every adapter."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from command_api.deciding import Decided, Decision, Outcome
from command_api.domain.block_account import BLOCK_ACCOUNT, BlockAccount
from command_api.domain.delete_tweet import DELETE_TWEET, DeleteTweet
from command_api.domain.edit_tweet import EDIT_TWEET, EditTweet
from command_api.domain.errors import AccountNotFound, TweetGone, TweetNotFound, VersionMismatch
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.import_follow import IMPORT_FOLLOW, ImportFollow
from command_api.domain.import_tweet import IMPORT_TWEET, ImportTweet
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.domain.unfollow_account import UNFOLLOW_ACCOUNT, UnfollowAccount
from command_api.facts import AccountNamed, Facts, Named, Other, OtherOf, Relation, TweetFor
from events.accounts import AccountRegistered
from events.entities import Entities, Mention
from events.graph import AccountFollowed
from events.ids import AccountId, Millis, TweetId, account_number, id_at, millis
from events.log import LogUnavailable, Positions
from events.tweets import TweetDeleted, TweetEdited, TweetPosted, TweetRef
from tests.contracts.commands import (
    ALICE,
    BOB,
    CAROL,
    NAMES,
    NOTES,
    SAY,
    Noted,
    Open,
    System,
    a_decision,
    by,
    edit,
    engagement,
    follow,
    like,
    notes,
    post,
    posted,
    records,
    relation,
    settle,
    unlike,
)
from tests.contracts.embedded import START, Embedded
from tests.records import event_of

DAY = 24 * 3600 * 1000


async def test_a_command_is_decided_appended_folded_and_answered(system: System) -> None:
    await settle(system)
    tweet = await posted(system)
    outcome = await like(system, tweet)
    assert outcome.answer.body == b"TweetLiked"
    assert not outcome.replayed
    assert (await engagement(system, BOB, tweet)).liked
    [record] = [record for record in await records(system.log) if record.topic == "engagement"]
    assert outcome.token.positions == {record.place: record.offset + 1}


async def test_the_context_becomes_the_envelope(system: System) -> None:
    await settle(system)
    context = by(ALICE, causation="cause", traceparent="trace", time=Millis(1_424_300_000_000))
    await system.store.execute(FOLLOW_ACCOUNT, FollowAccount(ALICE, BOB), context, SAY)
    about = (await records(system.log))[-1].about
    assert (about.actor, about.correlation, about.causation, about.traceparent) == (ALICE, "request", "cause", "trace")
    assert about.time == 1_424_300_000_000
    assert millis(about.id) == START


async def test_mentions_are_settled_whatever_their_case_and_stay_with_the_edit(
    system: System,
) -> None:
    await settle(system)
    mentions = Entities(mentions=(Mention("BoB", 0, 4), Mention("nobody", 5, 12)))
    tweet = TweetId(system.ids.issue())
    await system.store.execute(POST_TWEET, PostTweet(ALICE, tweet, "@BoB @nobody", mentions), by(ALICE), SAY)
    edit = EditTweet(ALICE, tweet, "@BoB @nobody!", mentions, system.clock())
    await system.store.execute(EDIT_TWEET, edit, by(ALICE), SAY)
    posted, edited = [record for record in await records(system.log) if record.topic == "tweets"]
    events = (event_of(posted, TweetPosted), event_of(edited, TweetEdited))
    assert [[m.account for m in event.entities.mentions] for event in events] == [[BOB, None]] * 2


async def test_a_reply_and_a_quote_carry_the_authors_they_answer(system: System) -> None:
    await settle(system)
    first = await posted(system, ALICE)
    second = await posted(system, BOB, reply_to=first)
    third = await posted(system, CAROL, reply_to=second, quote_of=first)
    event = event_of((await records(system.log))[-1], TweetPosted)
    assert (event.reply_to, event.quote_of) == (TweetRef(second, BOB), TweetRef(first, ALICE))
    assert event.conversation == first
    await system.store.execute(DELETE_TWEET, DeleteTweet(CAROL, third), by(CAROL), SAY)
    deleted = event_of((await records(system.log))[-1], TweetDeleted)
    assert (deleted.reply_to, deleted.quote_of) == (TweetRef(second, BOB), TweetRef(first, ALICE))


async def test_an_event_has_the_current_time_unless_the_context_has_one(system: System) -> None:
    await settle(system)
    system.clock.now = Millis(START + 12_345)
    await follow(system)
    assert (await records(system.log))[-1].about.time == START + 12_345


async def test_a_refused_command_appends_nothing(system: System) -> None:
    await settle(system)
    before = await records(system.log)
    with pytest.raises(TweetNotFound):
        await like(system, TweetId(id_at(START, "never")))
    assert await records(system.log) == before


async def test_a_command_over_two_entities_appends_to_both_and_answers_for_both(make: Open) -> None:
    system = make(partitions=4)
    await settle(system)
    others = [AccountId(id_at(Millis(1), f"another {n}")) for n in range(12)]
    for n, other in enumerate(others):
        await system.store.execute(IMPORT_ACCOUNT, ImportAccount(other, f"other{n}", "O"), by(other), SAY)
        await follow(system, ALICE, other)
        await follow(system, other, ALICE)
        outcome = await system.store.execute(BLOCK_ACCOUNT, BlockAccount(ALICE, other), by(ALICE), SAY)
        assert (await system.log.ends()).covers(outcome.token.positions)
        own = [r for r in await records(system.log) if r.topic == "graph" and r.key in (ALICE, other)]
        assert outcome.token.positions == {r.place: r.offset + 1 for r in own}
        there = await relation(system, ALICE, other)
        assert (there.following, there.followed_by, there.blocking) == (False, False, True)


async def test_a_command_that_changes_nothing_returns_positions_that_cover_the_earlier_events(make: Open) -> None:
    system = make(partitions=4)
    await settle(system)
    tweet = await posted(system)
    repeated: list[Callable[[], Coroutine[Any, Any, Outcome]]] = [
        lambda: like(system, tweet), lambda: follow(system), lambda: edit(system, tweet, "edited"),
    ]  # fmt: skip
    for again in repeated:
        first = await again()
        await like(system, await posted(system, BOB), CAROL)
        second = await again()
        assert second.answer.body == b""
        assert second.token.positions
        assert Positions(second.token.positions).covers(first.token.positions)


@pytest.mark.sqlite_alone
async def test_nothing_is_answered_before_it_is_durable(system: Embedded, tmp_path: Path) -> None:
    await settle(system)
    left = []
    system.disk.before = lambda: left.append(system.as_on_disk(tmp_path / f"before {len(left)}"))
    tweet, posting = post(system)
    await posting
    before = Embedded(left[-1])
    after = Embedded(system.as_on_disk(tmp_path / "after"))
    question = TweetFor(tweet, ALICE)
    assert (await before.store.ask(question))[question] is None
    assert (await after.store.ask(question))[question] is not None
    await before.close()
    await after.close()


async def test_decided_events_survive_a_restart(system: System) -> None:
    await settle(system)
    tweet = await posted(system)
    await like(system, tweet)
    before = system.snapshot()
    await system.restart()
    assert system.snapshot() == before
    assert (await like(system, tweet)).answer.body == b""


@pytest.mark.sqlite_alone
async def test_concurrent_commands_share_commits(system: Embedded) -> None:
    await settle(system)
    before = system.disk.commits
    outcomes = await asyncio.gather(*(post(system)[1] for _ in range(200)))
    assert system.disk.commits - before <= 2
    assert len({str(outcome.token.positions) for outcome in outcomes}) == 200


@pytest.mark.sqlite_alone
async def test_a_later_command_sees_what_an_earlier_one_did_in_the_same_commit(system: Embedded) -> None:
    before = system.disk.commits
    calls = [
        system.store.execute(IMPORT_ACCOUNT, ImportAccount(ALICE, "alice", "A"), by(ALICE), SAY),
        system.store.execute(IMPORT_ACCOUNT, ImportAccount(BOB, "bob", "B"), by(BOB), SAY),
    ]
    tweet, posting = post(system)
    calls += [posting, like(system, tweet), like(system, tweet), unlike(system, tweet), unlike(system, tweet)]
    outcomes = await asyncio.gather(*calls)
    assert [outcome.answer.body for outcome in outcomes[2:]] == [
        b"TweetPosted", b"TweetLiked", b"", b"TweetUnliked", b"",
    ]  # fmt: skip
    assert system.disk.commits - before == 1


async def test_of_many_concurrent_registrations_of_a_name_one_succeeds(system: System) -> None:
    wanting = [AccountId(id_at(Millis(1), f"wanting {n}")) for n in range(20)]
    outcomes = await asyncio.gather(
        *(system.store.execute(IMPORT_ACCOUNT, ImportAccount(a, "Wanted", "W"), by(a), SAY) for a in wanting)
    )
    assert [outcome.answer.body for outcome in outcomes].count(b"AccountRegistered") == 1
    assert len([r for r in await records(system.log) if isinstance(r.event, AccountRegistered)]) == 1
    question = AccountNamed("wAnTeD")
    assert (await system.store.ask(question))[question] is not None


async def test_of_many_concurrent_edits_of_a_version_one_succeeds(system: System) -> None:
    await settle(system)
    tweet = await posted(system)
    outcomes = await asyncio.gather(*(edit(system, tweet, f"edit {n}", 1) for n in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, VersionMismatch) for outcome in outcomes) == 9
    question = TweetFor(tweet, ALICE)
    found = (await system.store.ask(question))[question]
    assert found is not None
    assert found.version == 2


async def test_a_command_that_fails_by_a_bug_fails_alone(make: Open) -> None:
    system = make(**NOTES)
    await settle(system)
    system.disk.hold()
    first = asyncio.ensure_future(follow(system))
    await system.disk.waiting.wait()

    def deciding(*decided: AccountFollowed | Noted) -> Coroutine[Any, Any, Outcome]:
        return system.store.execute(a_decision(lambda facts: decided), None, by(ALICE), SAY)

    def faulty(facts: Facts) -> Decided:
        raise ZeroDivisionError

    event = AccountFollowed(follower=BOB, followee=CAROL)
    calls = [
        post(system)[1],
        deciding(Noted("one")),
        deciding(event, Noted("one")),  # taken: fails when the event is written already
        post(system)[1],
        system.store.execute(a_decision(faulty), None, by(ALICE), SAY),
        deciding(Noted("two")),
    ]
    waiting = [asyncio.ensure_future(call) for call in calls]
    system.disk.release()
    await first
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, False, True, False, True, False]
    assert notes(system) == ["one", "two"]
    assert event not in [record.event for record in await records(system.log)]
    await posted(system)
    assert sum(record.topic == "tweets" for record in await records(system.log)) == 3


async def test_private_changes_commit_with_the_events(make: Open) -> None:
    system = make(**NOTES)
    decision = a_decision(lambda facts: [AccountFollowed(follower=ALICE, followee=BOB), Noted("a note")])
    outcome = await system.store.execute(decision, None, by(ALICE), SAY)
    assert notes(system) == ["a note"]
    assert "a note" not in repr(await records(system.log))
    assert outcome.token.positions


async def test_private_changes_alone_append_nothing(make: Open) -> None:
    system = make(**NOTES)
    await system.store.execute(a_decision(lambda facts: [Noted("a note")]), None, by(ALICE), SAY)
    assert notes(system) == ["a note"]
    assert await records(system.log) == []


@pytest.mark.sqlite_alone
async def test_private_changes_are_undone_with_the_commit_that_fails(make: Open) -> None:
    system = make(**NOTES)
    assert isinstance(system, Embedded)
    decision = a_decision(lambda facts: [AccountFollowed(follower=ALICE, followee=BOB), Noted("a note")])
    system.disk.failure = OSError("the disk is on fire")
    with pytest.raises(LogUnavailable):
        await system.store.execute(decision, None, by(ALICE), SAY)
    assert notes(system) == []
    assert await records(system.log) == []
    system.disk.failure = None
    await system.store.execute(decision, None, by(ALICE), SAY)
    assert notes(system) == ["a note"]
    assert [record.offset for record in await records(system.log)] == [0]


async def test_another_account_is_found_by_its_id_and_by_its_name_in_the_decision(
    system: System,
) -> None:
    await settle(system)
    name = Named(NAMES[ALICE].swapcase())
    outcome = await system.store.execute(FOLLOW_ACCOUNT, FollowAccount(BOB, name), by(BOB), SAY)
    assert outcome.answer.body == b"AccountFollowed"
    there = await relation(system, BOB, ALICE)
    assert (there.following, there.followed_by) == (True, False)
    back = OtherOf(ALICE, Named(NAMES[BOB]))
    assert (await system.store.ask(back))[back] == Other(BOB, Relation(False, True, False, False, False))
    with pytest.raises(AccountNotFound, match="nobody"):
        await system.store.execute(FOLLOW_ACCOUNT, FollowAccount(BOB, Named("nobody")), by(BOB), SAY)


async def test_an_account_with_the_number_of_another_is_not_that_one(system: System) -> None:
    await settle(system)
    other = BOB[:18] + ALICE[18:]
    assert other != ALICE
    assert account_number(other) == account_number(ALICE)
    question = OtherOf(BOB, AccountId(other))
    assert (await system.store.ask(question))[question] is None


async def test_importing_twice_adds_nothing(system: System) -> None:
    imports: list[tuple[Decision[Any, Any], Any]] = [
        (IMPORT_ACCOUNT, ImportAccount(ALICE, "alice", "Alice")),
        (IMPORT_ACCOUNT, ImportAccount(BOB, "bob", "Bob")),
        (IMPORT_TWEET, ImportTweet(ALICE, "1", Millis(1_424_300_000_000), "old news", Entities())),
        (IMPORT_FOLLOW, ImportFollow(ALICE, BOB)),
    ]
    for decision, command in imports:
        await system.store.execute(decision, command, by(None, time=Millis(1_424_300_000_000)), SAY)
    before = await records(system.log)
    assert len(before) == 4
    assert {record.about.time for record in before} == {1_424_300_000_000}
    for decision, command in imports:
        assert (await system.store.execute(decision, command, by(None), SAY)).answer.body == b""
    assert await records(system.log) == before


async def test_importing_again_keeps_later_changes_of_users(system: System) -> None:
    tweet = ImportTweet(ALICE, "1", Millis(1_424_300_000_000), "old news", Entities())
    await settle(system)
    await system.store.execute(IMPORT_TWEET, tweet, by(None), SAY)
    await system.store.execute(DELETE_TWEET, DeleteTweet(ALICE, tweet.tweet), by(ALICE), SAY)
    assert (await system.store.execute(IMPORT_TWEET, tweet, by(None), SAY)).answer.body == b""
    with pytest.raises(TweetGone):
        await like(system, tweet.tweet)
    steps: list[tuple[Decision[Any, Any], Any, bytes]] = [
        (IMPORT_FOLLOW, ImportFollow(ALICE, BOB), b"AccountFollowed"),
        (UNFOLLOW_ACCOUNT, UnfollowAccount(ALICE, BOB), b"AccountUnfollowed"),
        (IMPORT_FOLLOW, ImportFollow(ALICE, BOB), b""),
        (FOLLOW_ACCOUNT, FollowAccount(ALICE, BOB), b"AccountFollowed"),
    ]
    for decision, command, said in steps:
        assert (await system.store.execute(decision, command, by(ALICE), SAY)).answer.body == said
