"""Every adapter of the CommandStore port handles a failing disk, cancelled callers, and a clock that goes back."""

import asyncio

import apsw
import pytest

from command_api.facts import TweetFor
from events.ids import ClockBehind, Millis
from events.log import LogUnavailable
from events.tweets import TweetPosted
from tests.contracts.commands import (
    ALICE,
    BOB,
    CAROL,
    NOTES,
    SAY,
    Noted,
    Open,
    System,
    a_decision,
    by,
    engagement,
    follow,
    like,
    notes,
    post,
    posted,
    records,
    relation,
    settle,
)
from tests.contracts.embedded import START, Clock, Embedded
from tests.records import event_of

DAY = 24 * 3600 * 1000


@pytest.mark.parametrize("trouble", ["full", "read_only"])
@pytest.mark.sqlite_alone
async def test_a_command_that_the_disk_refuses_has_no_effect_and_can_be_repeated(make: Open, trouble: str) -> None:
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
        assert not (await engagement(system, BOB, tweet)).liked
    assert (await like(system, tweet, key="one")).answer.body == b"TweetLiked"
    positions = (await post(system)[1]).token.positions
    assert positions == {place: ends[place] + 1 for place in positions}
    assert notes(system) == []


@pytest.mark.sqlite_alone
async def test_reads_work_while_the_disk_refuses_writes(system: Embedded) -> None:
    await settle(system)
    tweet = await posted(system)
    with system.read_only():
        question = TweetFor(tweet, BOB)
        assert (await system.store.ask(question))[question] is not None
        assert await records(system.log)


@pytest.mark.sqlite_alone
async def test_a_database_locked_by_another_process_is_unavailable(system: Embedded) -> None:
    await settle(system)
    system.db.connection.set_busy_timeout(0)
    stranger = apsw.Connection(str(system.directory / "log.db"))
    stranger.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(*(post(system)[1] for _ in range(3)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {LogUnavailable}
    stranger.close()
    await posted(system)


@pytest.mark.sqlite_alone
async def test_an_account_whose_registration_was_rolled_back_can_be_registered(system: Embedded) -> None:
    """Its key was created and rolled back with it. Fields sealed from now on must open."""
    system.disk.failure = OSError("the disk is on fire")
    with pytest.raises(LogUnavailable):
        await settle(system, ALICE)
    system.disk.failure = None
    await settle(system, ALICE)
    tweet = await posted(system)
    [record] = [record for record in await records(system.elsewhere()) if record.topic == "tweets"]
    assert event_of(record, TweetPosted).tweet == tweet


@pytest.mark.sqlite_alone
async def test_a_caller_that_is_cancelled_before_its_command_begins_cancels_it(system: Embedded) -> None:
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


@pytest.mark.sqlite_alone
async def test_a_caller_that_is_cancelled_during_the_commit_gets_the_answer_on_a_retry(system: Embedded) -> None:
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


@pytest.mark.sqlite_alone
async def test_closing_finishes_running_commands_and_accepts_no_more(system: Embedded) -> None:
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


async def test_ids_ascend_although_the_wall_clock_goes_back(system: System) -> None:
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


async def test_ids_continue_from_the_newest_in_the_log_after_a_restart(system: System) -> None:
    await settle(system)
    await follow(system)
    await posted(system)
    behind = Clock()
    behind.now = Millis(START - 30_000)
    await system.restart(clock=behind)
    await follow(system, BOB, CAROL)
    everything = await records(system.log)
    before, after = [record.about.id for record in everything if record.topic == "graph"]
    assert before < max(record.about.id for record in everything if record.topic == "tweets") < after


async def test_a_clock_that_is_far_behind_is_refused_and_nothing_is_appended(system: System) -> None:
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


async def test_a_command_that_appends_nothing_needs_no_clock(system: System) -> None:
    await settle(system)
    tweet = await posted(system)
    await like(system, tweet)
    system.clock.now = Millis(START - 61_000)
    assert (await like(system, tweet)).answer.body == b""
