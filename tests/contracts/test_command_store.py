"""What every adapter of the CommandStore port must do."""

import asyncio
from dataclasses import dataclass

import apsw
import pytest
from commands import ALICE, BOB, CAROL, SAY, by, post, posted, records, settle
from embedded import START, Clock, Embedded

from command_api.deciding import Decision, KeyReused, PrivateChange, Refused, StillRunning
from command_api.domain.block_account import BLOCK_ACCOUNT, BlockAccount
from command_api.domain.delete_tweet import DELETE_TWEET, DeleteTweet
from command_api.domain.edit_tweet import EDIT_TWEET, EditTweet
from command_api.domain.errors import AccountNotFound, TweetGone, TweetNotFound, VersionMismatch
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.import_follow import IMPORT_FOLLOW, ImportFollow
from command_api.domain.import_tweet import IMPORT_TWEET, ImportTweet
from command_api.domain.like_tweet import LIKE_TWEET, LikeTweet
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.domain.unlike_tweet import UNLIKE_TWEET, UnlikeTweet
from command_api.facts import AccountNamed, EngagementOf, RelationOf, TweetFor
from events.accounts import AccountRegistered
from events.entities import Entities, Mention
from events.graph import AccountFollowed
from events.ids import AccountId, ClockBehind, Millis, TweetId, id_at, millis
from events.log import LogUnavailable, Positions
from events.tweets import TweetRef

DAY = 24 * 3600 * 1000


@dataclass(frozen=True)
class Noted(PrivateChange):
    """A private change of this test."""

    text: str


NOTES = {
    "private": {Noted: lambda connection, note: connection.execute("INSERT INTO notes VALUES (?)", (note.text,))},
    "tables": ("CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL UNIQUE)",),
}


def a_decision(decide, entities=(("accounts", ALICE),), questions=()):
    """A decision of this test: `decide` gets the facts."""
    return Decision(lambda c: entities, lambda c: questions, lambda c, facts: facts, lambda c, facts: decide(facts))


def notes(system):
    return [row[0] for row in system.db.read_connection.execute("SELECT text FROM notes")]


async def engagement(system, account, tweet):
    question = EngagementOf(account, tweet)
    return (await system.store.ask(question))[question]


async def relation(system, account, other):
    question = RelationOf(account, other)
    return (await system.store.ask(question))[question]


def like(system, tweet, actor=BOB, key=None, body=b"body"):
    return system.store.execute(LIKE_TWEET, LikeTweet(actor, tweet), by(actor, key, body), SAY)


def unlike(system, tweet, actor=BOB):
    return system.store.execute(UNLIKE_TWEET, UnlikeTweet(actor, tweet), by(actor), SAY)


def follow(system, actor=ALICE, other=BOB, key=None, body=b"body"):
    return system.store.execute(FOLLOW_ACCOUNT, FollowAccount(actor, other), by(actor, key, body), SAY)


def edit(system, tweet, text, if_version=None):
    command = EditTweet(ALICE, tweet, text, Entities(), system.clock(), if_version)
    return system.store.execute(EDIT_TWEET, command, by(ALICE), SAY)


# Deciding and appending


async def test_a_command_is_decided_appended_folded_and_answered(system):
    await settle(system)
    tweet = await posted(system)
    outcome = await like(system, tweet)
    assert outcome.answer.body == b"TweetLiked"
    assert not outcome.replayed
    assert (await engagement(system, BOB, tweet)).liked
    [record] = [record for record in await records(system.log) if record.topic == "engagement"]
    assert outcome.positions == {record.place: record.offset + 1}


async def test_the_context_becomes_the_envelope(system):
    await settle(system)
    context = by(ALICE, causation="cause", traceparent="trace", time=Millis(1_424_300_000_000))
    await system.store.execute(FOLLOW_ACCOUNT, FollowAccount(ALICE, BOB), context, SAY)
    about = (await records(system.log))[-1].about
    assert (about.actor, about.correlation, about.causation, about.traceparent) == (ALICE, "request", "cause", "trace")
    assert about.time == 1_424_300_000_000
    assert millis(about.id) == START


async def test_mentions_are_settled_whatever_their_case_and_stay_with_the_edit(system):
    await settle(system)
    mentions = Entities(mentions=(Mention("BoB", 0, 4), Mention("nobody", 5, 12)))
    tweet = TweetId(system.ids.issue())
    await system.store.execute(POST_TWEET, PostTweet(ALICE, tweet, "@BoB @nobody", mentions), by(ALICE), SAY)
    edit = EditTweet(ALICE, tweet, "@BoB @nobody!", mentions, system.clock())
    await system.store.execute(EDIT_TWEET, edit, by(ALICE), SAY)
    events = [record.event for record in await records(system.log) if record.topic == "tweets"]
    assert [[m.account for m in event.entities.mentions] for event in events] == [[BOB, None]] * 2


async def test_a_reply_and_a_quote_carry_the_authors_they_answer(system):
    await settle(system)
    first = await posted(system, ALICE)
    second = await posted(system, BOB, reply_to=first)
    third = await posted(system, CAROL, reply_to=second, quote_of=first)
    event = (await records(system.log))[-1].event
    assert (event.reply_to, event.quote_of) == (TweetRef(second, BOB), TweetRef(first, ALICE))
    assert event.conversation == first
    await system.store.execute(DELETE_TWEET, DeleteTweet(CAROL, third), by(CAROL), SAY)
    deleted = (await records(system.log))[-1].event
    assert (deleted.reply_to, deleted.quote_of) == (TweetRef(second, BOB), TweetRef(first, ALICE))


async def test_an_event_happened_now_unless_the_context_says_when(system):
    await settle(system)
    system.clock.now = Millis(START + 12_345)
    await follow(system)
    assert (await records(system.log))[-1].about.time == START + 12_345


async def test_a_refused_command_appends_nothing(system):
    await settle(system)
    before = await records(system.log)
    with pytest.raises(TweetNotFound):
        await like(system, TweetId(id_at(START, "never")))
    assert await records(system.log) == before


async def test_a_command_over_two_entities_appends_to_both_and_answers_for_both(make):
    system = make(partitions=4)
    await settle(system)
    others = [AccountId(id_at(Millis(1), f"another {n}")) for n in range(12)]
    for n, other in enumerate(others):
        await system.store.execute(IMPORT_ACCOUNT, ImportAccount(other, f"other{n}", "O"), by(other), SAY)
        await follow(system, ALICE, other)
        await follow(system, other, ALICE)
        outcome = await system.store.execute(BLOCK_ACCOUNT, BlockAccount(ALICE, other), by(ALICE), SAY)
        assert (await system.log.ends()).covers(outcome.positions)
        own = [r for r in await records(system.log) if r.topic == "graph" and r.key in (ALICE, other)]
        assert outcome.positions == {r.place: r.offset + 1 for r in own}
        there = await relation(system, ALICE, other)
        assert (there.following, there.followed_by, there.blocking) == (False, False, True)


async def test_a_command_that_changes_nothing_has_positions_that_cover_what_made_it_so(make):
    system = make(partitions=4)
    await settle(system)
    tweet = await posted(system)
    for again in (lambda: like(system, tweet), lambda: follow(system), lambda: edit(system, tweet, "edited")):
        first = await again()
        await like(system, await posted(system, BOB), CAROL)
        second = await again()
        assert second.answer.body == b""
        assert second.positions
        assert Positions(second.positions).covers(first.positions)


async def test_nothing_is_answered_before_it_is_durable(system, tmp_path):
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


async def test_what_was_decided_is_there_after_a_restart(system):
    await settle(system)
    tweet = await posted(system)
    await like(system, tweet)
    before = system.snapshot()
    await system.restart()
    assert system.snapshot() == before
    assert (await like(system, tweet)).answer.body == b""


# Many at once


async def test_concurrent_commands_share_commits(system):
    await settle(system)
    before = system.disk.commits
    outcomes = await asyncio.gather(*(post(system)[1] for _ in range(200)))
    assert system.disk.commits - before <= 2
    assert len({str(outcome.positions) for outcome in outcomes}) == 200


async def test_a_later_command_sees_what_an_earlier_one_did_in_the_same_commit(system):
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


async def test_of_many_who_want_one_name_one_gets_it(system):
    wanting = [AccountId(id_at(Millis(1), f"wanting {n}")) for n in range(20)]
    outcomes = await asyncio.gather(
        *(system.store.execute(IMPORT_ACCOUNT, ImportAccount(a, "Wanted", "W"), by(a), SAY) for a in wanting)
    )
    assert [outcome.answer.body for outcome in outcomes].count(b"AccountRegistered") == 1
    assert len([r for r in await records(system.log) if isinstance(r.event, AccountRegistered)]) == 1
    question = AccountNamed("wAnTeD")
    assert (await system.store.ask(question))[question] is not None


async def test_of_many_edits_of_one_version_one_is_made(system):
    await settle(system)
    tweet = await posted(system)
    outcomes = await asyncio.gather(*(edit(system, tweet, f"edit {n}", 1) for n in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, VersionMismatch) for outcome in outcomes) == 9
    question = TweetFor(tweet, ALICE)
    assert (await system.store.ask(question))[question].version == 2


async def test_a_command_that_fails_by_a_fault_of_ours_fails_alone(make):
    system = make(**NOTES)
    await settle(system)
    system.disk.hold()
    first = asyncio.ensure_future(follow(system))
    await system.disk.waiting.wait()

    def deciding(*decided):
        return system.store.execute(a_decision(lambda facts: decided), None, by(ALICE), SAY)

    def faulty(facts):
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


# Private changes


async def test_private_changes_land_with_the_events(make):
    system = make(**NOTES)
    decision = a_decision(lambda facts: [AccountFollowed(follower=ALICE, followee=BOB), Noted("a note")])
    outcome = await system.store.execute(decision, None, by(ALICE), SAY)
    assert notes(system) == ["a note"]
    assert "a note" not in repr(await records(system.log))
    assert outcome.positions


async def test_private_changes_alone_append_nothing(make):
    system = make(**NOTES)
    await system.store.execute(a_decision(lambda facts: [Noted("a note")]), None, by(ALICE), SAY)
    assert notes(system) == ["a note"]
    assert await records(system.log) == []


async def test_private_changes_are_undone_with_the_commit_that_fails(make):
    system = make(**NOTES)
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


# The same command again


async def test_the_same_key_and_body_are_answered_as_before_and_have_no_effect(system):
    await settle(system)
    _, posting = post(system, key="one")
    first = await posting
    _, posting = post(system, key="one")
    second = await posting
    assert second.answer == first.answer
    assert second.positions == first.positions
    assert (first.replayed, second.replayed) == (False, True)
    assert sum(record.topic == "tweets" for record in await records(system.log)) == 1


async def test_a_replay_says_what_was_so_then_whatever_came_in_between(system):
    await settle(system)
    tweet = await posted(system)
    first = await like(system, tweet, key="one")
    await unlike(system, tweet)
    assert (await like(system, tweet, key="one")).answer == first.answer
    assert not (await engagement(system, BOB, tweet)).liked


async def test_another_key_is_another_request(system):
    await settle(system)
    for key in ("one", "two"):
        assert not (await post(system, key=key)[1]).replayed


async def test_a_key_belongs_to_its_user(system):
    await settle(system)
    tweet = await posted(system)
    await like(system, tweet, BOB, key="one")
    assert not (await like(system, tweet, CAROL, key="one")).replayed
    assert (await engagement(system, CAROL, tweet)).liked


async def test_a_key_with_another_body_is_refused_and_has_no_effect(system):
    await settle(system)
    tweet = await posted(system)
    await like(system, tweet, key="one")
    with pytest.raises(KeyReused):
        await unlike_with(system, tweet, "one", b"another body")
    assert (await engagement(system, BOB, tweet)).liked
    assert (await like(system, tweet, key="one")).replayed


def unlike_with(system, tweet, key, body):
    return system.store.execute(UNLIKE_TWEET, UnlikeTweet(BOB, tweet), by(BOB, key, body), SAY)


async def test_a_request_whose_first_is_still_running_is_told_so(system):
    await settle(system)
    tweet = await posted(system)
    system.disk.hold()
    first = asyncio.ensure_future(like(system, tweet, key="one"))
    await system.disk.waiting.wait()
    with pytest.raises(StillRunning):
        await like(system, tweet, key="one")
    other_user = asyncio.ensure_future(like(system, tweet, CAROL, key="one"))
    system.disk.release()
    assert not (await first).replayed
    assert not (await other_user).replayed
    assert (await like(system, tweet, key="one")).replayed


async def test_of_many_with_one_key_at_once_one_is_executed(system):
    await settle(system)
    outcomes = await asyncio.gather(*(post(system, key="one")[1] for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, StillRunning) for outcome in outcomes) == 9
    assert sum(record.topic == "tweets" for record in await records(system.log)) == 1


async def test_a_refusal_is_remembered_like_any_answer(system):
    await settle(system, ALICE)
    first = await follow(system, key="one")
    assert (first.answer.status, first.replayed) == (409, False)
    assert b"AccountNotFound" in first.answer.body
    await settle(system, BOB)
    second = await follow(system, key="one")
    assert (second.answer, second.replayed) == (first.answer, True)
    assert not (await relation(system, ALICE, BOB)).following
    assert not (await follow(system, key="another")).replayed


async def test_without_a_key_a_refusal_is_raised_and_forgotten(system):
    await settle(system, ALICE)
    with pytest.raises(AccountNotFound):
        await follow(system)
    await settle(system, BOB)
    await follow(system)


async def test_a_fault_of_ours_is_not_remembered(system):
    def faulty(facts):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await system.store.execute(a_decision(faulty), None, by(ALICE, "one"), SAY)
    await settle(system)
    assert not (await post(system, key="one")[1]).replayed


async def test_answers_are_remembered_over_a_restart(system):
    await settle(system)
    first = await post(system, key="one")[1]
    await system.restart()
    second = await post(system, key="one")[1]
    assert (second.answer, second.positions, second.replayed) == (first.answer, first.positions, True)


@pytest.mark.parametrize("forget", [False, True], ids=["as it is", "after cleaning up"])
async def test_answers_are_remembered_for_a_day_and_no_longer(system, forget):
    await settle(system)
    await post(system, key="one")[1]
    system.clock.now = Millis(START + DAY - 1)
    if forget:
        assert await system.store.forget_old_answers() == 0
    assert (await post(system, key="one")[1]).replayed
    system.clock.now = Millis(START + DAY)
    if forget:
        assert await system.store.forget_old_answers() == 1
        assert await system.store.forget_old_answers() == 0
    assert not (await post(system, key="one")[1]).replayed
    assert (await post(system, key="one")[1]).replayed


async def test_old_answers_are_forgotten_a_few_at_a_time(system):
    await settle(system)
    for n in range(5):
        await post(system, key=f"key {n}")[1]
    system.clock.now = Millis(START + DAY)
    assert [await system.store.forget_old_answers(2) for _ in range(4)] == [2, 2, 1, 0]


async def test_the_effect_and_its_answer_are_on_disk_together_or_not_at_all(system, tmp_path):
    await settle(system)
    tweet = await posted(system)
    left = []
    system.disk.before = lambda: left.append(system.as_on_disk(tmp_path / "before"))
    first = await like(system, tweet, key="one")
    system.disk.before = lambda: None
    for directory, there in ((left[0], False), (system.as_on_disk(tmp_path / "after"), True)):
        killed = Embedded(directory)
        assert (await engagement(killed, BOB, tweet)).liked is there
        again = await like(killed, tweet, key="one")
        assert again.replayed is there
        assert again.answer == first.answer
        assert sum(record.topic == "engagement" for record in await records(killed.log)) == 1
        await killed.close()


async def test_a_commit_that_fails_leaves_neither_effect_nor_answer(system):
    await settle(system)
    tweet = await posted(system)
    system.disk.failure = OSError("the disk is on fire")
    with pytest.raises(LogUnavailable):
        await like(system, tweet, key="one")
    system.disk.failure = None
    assert not (await engagement(system, BOB, tweet)).liked
    again = await like(system, tweet, key="one")
    assert (again.replayed, again.answer.body) == (False, b"TweetLiked")


# When the disk refuses


@pytest.mark.parametrize("trouble", ["full", "read_only"])
async def test_what_the_disk_refuses_took_no_effect_and_can_be_done_later(make, trouble):
    system = make(**NOTES)
    await settle(system)
    tweet = await posted(system)
    before, ends = system.snapshot(), await system.log.ends()
    decision = a_decision(lambda facts: [Noted("x" * 10_000)])
    with getattr(system, trouble)():
        calls = [post(system, text="x" * 200)[1] for _ in range(100)]
        calls += [
            like(system, tweet, key="one"),
            system.store.execute(decision, None, by(ALICE), SAY),
        ]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {LogUnavailable}
        assert system.snapshot() == before
        assert await system.log.ends() == ends
        assert (await like_is_possible(system, tweet)) is False
    assert (await like(system, tweet, key="one")).answer.body == b"TweetLiked"
    positions = (await post(system)[1]).positions
    assert positions == {place: ends[place] + 1 for place in positions}
    assert notes(system) == []


async def like_is_possible(system, tweet):
    return (await engagement(system, BOB, tweet)).liked


async def test_while_the_disk_refuses_what_is_there_can_be_asked(system):
    await settle(system)
    tweet = await posted(system)
    with system.read_only():
        question = TweetFor(tweet, BOB)
        assert (await system.store.ask(question))[question] is not None
        assert await records(system.log)


async def test_a_lock_that_somebody_else_holds_is_trouble_like_any_other(system):
    await settle(system)
    system.db.connection.set_busy_timeout(0)
    stranger = apsw.Connection(str(system.directory / "log.db"))
    stranger.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(*(post(system)[1] for _ in range(3)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {LogUnavailable}
    stranger.close()
    await posted(system)


async def test_an_account_whose_registration_was_undone_can_be_registered(system):
    """Its key was made and undone with it; what is sealed from now on has to open."""
    system.disk.failure = OSError("the disk is on fire")
    with pytest.raises(LogUnavailable):
        await settle(system, ALICE)
    system.disk.failure = None
    await settle(system, ALICE)
    tweet = await posted(system)
    [record] = [record for record in await records(system.elsewhere()) if record.topic == "tweets"]
    assert record.event.tweet == tweet


# Callers who go away


async def test_a_caller_who_goes_before_the_turn_of_his_command_takes_it_back(system):
    await settle(system)
    tweet = await posted(system)
    system.disk.hold()
    first = asyncio.ensure_future(follow(system))
    await system.disk.waiting.wait()
    second = asyncio.ensure_future(like(system, tweet))
    third = asyncio.ensure_future(like(system, tweet, CAROL))
    await asyncio.sleep(0)
    second.cancel()
    system.disk.release()
    await first
    await third
    assert not (await engagement(system, BOB, tweet)).liked
    assert (await engagement(system, CAROL, tweet)).liked


async def test_a_caller_who_goes_while_the_disk_writes_finds_the_answer_when_he_comes_back(system):
    await settle(system)
    tweet = await posted(system)
    system.disk.hold()
    first = asyncio.ensure_future(like(system, tweet, key="one"))
    await system.disk.waiting.wait()
    first.cancel()
    await asyncio.wait([first])
    again = asyncio.ensure_future(like(system, tweet, key="one"))
    system.disk.release()
    assert (await again).replayed
    assert sum(record.topic == "engagement" for record in await records(system.log)) == 1


async def test_closing_finishes_what_was_begun_and_takes_on_nothing_more(system):
    await settle(system)
    system.disk.hold()
    first = asyncio.ensure_future(follow(system))
    await system.disk.waiting.wait()
    second = asyncio.ensure_future(follow(system, BOB, CAROL))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(system.db.commits.close())
    await asyncio.sleep(0)
    with pytest.raises(LogUnavailable):
        await follow(system, CAROL, ALICE)
    system.disk.release()
    await closing
    assert first.done()
    assert second.done()
    assert (await relation(system, BOB, CAROL)).following
    await system.restart()
    await follow(system, CAROL, ALICE)


# Ids and clocks


async def test_ids_ascend_although_the_wall_clock_goes_back(system):
    await settle(system)
    system.clock.now = Millis(START + 10_000)
    await posted(system)
    system.clock.now = Millis(START - 40_000)
    await posted(system)
    await follow(system)
    system.clock.now = Millis(START + 20_000)
    await posted(system)
    ids = [record.about.id for record in await records(system.log)]
    assert ids == sorted(set(ids))


async def test_ids_go_on_from_the_newest_in_the_log_after_a_restart(system):
    await settle(system)
    tweet = await posted(system)
    behind = Clock()
    behind.now = Millis(START - 30_000)
    await system.restart(clock=behind)
    await like(system, tweet)
    ids = [record.about.id for record in await records(system.log)]
    assert ids == sorted(set(ids))


async def test_a_clock_that_is_far_behind_is_refused_and_nothing_is_appended(system):
    await settle(system)
    tweet = await posted(system)
    before = await records(system.log)
    system.clock.now = Millis(START - 61_000)
    with pytest.raises(ClockBehind):
        await like(system, tweet)
    assert await records(system.log) == before
    assert not (await engagement(system, BOB, tweet)).liked
    system.clock.now = Millis(START)
    await like(system, tweet)


async def test_a_command_that_appends_nothing_needs_no_clock(system):
    await settle(system)
    tweet = await posted(system)
    await like(system, tweet)
    system.clock.now = Millis(START - 61_000)
    assert (await like(system, tweet)).answer.body == b""


# Imports


async def test_importing_twice_adds_nothing(system):
    imports = [
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


async def test_importing_again_leaves_alone_what_people_did_since(system):
    tweet = ImportTweet(ALICE, "1", Millis(1_424_300_000_000), "old news", Entities())
    await settle(system)
    await system.store.execute(IMPORT_TWEET, tweet, by(None), SAY)
    await system.store.execute(DELETE_TWEET, DeleteTweet(ALICE, tweet.tweet), by(ALICE), SAY)
    assert (await system.store.execute(IMPORT_TWEET, tweet, by(None), SAY)).answer.body == b""
    with pytest.raises(TweetGone):
        await like(system, tweet.tweet)


def test_refusals_are_no_faults():
    assert not issubclass(StillRunning, Refused)
    assert issubclass(KeyReused, Refused)
