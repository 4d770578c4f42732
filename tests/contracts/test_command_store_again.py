"""Every adapter of the CommandStore port gives a repeated request one effect and the same answer (law 6)."""

import asyncio
from pathlib import Path

import pytest

from command_api.deciding import Decided, KeyReused, Refused, StillRunning
from command_api.domain.errors import AccountNotFound
from command_api.facts import Facts
from events.ids import Millis
from events.log import LogUnavailable
from tests.contracts.commands import (
    ALICE,
    BOB,
    CAROL,
    SAY,
    System,
    a_decision,
    by,
    engagement,
    follow,
    like,
    post,
    posted,
    records,
    relation,
    settle,
    unlike,
)
from tests.contracts.embedded import START, Embedded

DAY = 24 * 3600 * 1000


async def test_the_same_key_and_body_are_answered_as_before_and_have_no_effect(
    system: System,
) -> None:
    await settle(system)
    _, posting = post(system, key="one")
    first = await posting
    _, posting = post(system, key="one")
    second = await posting
    assert second.answer == first.answer
    assert second.token == first.token
    assert (first.replayed, second.replayed) == (False, True)
    assert sum(record.topic == "tweets" for record in await records(system.log)) == 1


async def test_a_kept_answer_is_sealed(system: System) -> None:
    await settle(system)
    outcomes = [await post(system, text=text, key=text)[1] for text in ("a tweet", "another")]
    kept = [bytes(body) for (body,) in system.select("SELECT body FROM idempotency")]
    assert len(kept) == 2
    for outcome in outcomes:
        assert outcome.answer.body
        assert not any(outcome.answer.body in body for body in kept)
    assert not any(b"tweet" in body for body in kept)


async def test_a_replay_returns_the_first_answer_whatever_happened_since(system: System) -> None:
    await settle(system)
    tweet = await posted(system)
    first = await like(system, tweet, key="one")
    await unlike(system, tweet)
    assert (await like(system, tweet, key="one")).answer == first.answer
    assert not (await engagement(system, BOB, tweet)).liked


async def test_another_key_is_another_request(system: System) -> None:
    await settle(system)
    for key in ("one", "two"):
        assert not (await post(system, key=key)[1]).replayed


async def test_a_key_belongs_to_its_user(system: System) -> None:
    await settle(system)
    tweet = await posted(system)
    await like(system, tweet, BOB, key="one")
    assert not (await like(system, tweet, CAROL, key="one")).replayed
    assert (await engagement(system, CAROL, tweet)).liked


async def test_a_key_with_another_body_is_refused_and_has_no_effect(system: System) -> None:
    await settle(system)
    tweet = await posted(system)
    await like(system, tweet, key="one")
    with pytest.raises(KeyReused):
        await unlike(system, tweet, BOB, "one", b"another body")
    assert (await engagement(system, BOB, tweet)).liked
    assert (await like(system, tweet, key="one")).replayed


async def test_a_repeated_request_is_refused_while_the_first_one_runs(system: System) -> None:
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


async def test_of_many_with_one_key_at_once_one_is_executed(system: System) -> None:
    await settle(system)
    outcomes = await asyncio.gather(*(post(system, key="one")[1] for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, StillRunning) for outcome in outcomes) == 9
    assert sum(record.topic == "tweets" for record in await records(system.log)) == 1


async def test_a_refusal_is_remembered_like_any_answer(system: System) -> None:
    await settle(system, ALICE)
    first = await follow(system, key="one")
    assert (first.answer.status, first.replayed) == (409, False)
    assert b"AccountNotFound" in first.answer.body
    await settle(system, BOB)
    second = await follow(system, key="one")
    assert (second.answer, second.replayed) == (first.answer, True)
    assert not (await relation(system, ALICE, BOB)).following
    assert not (await follow(system, key="another")).replayed


async def test_without_a_key_a_refusal_is_raised_and_forgotten(system: System) -> None:
    await settle(system, ALICE)
    with pytest.raises(AccountNotFound):
        await follow(system)
    await settle(system, BOB)
    await follow(system)


async def test_a_fault_of_ours_is_not_remembered(system: System) -> None:
    def faulty(facts: Facts) -> Decided:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await system.store.execute(a_decision(faulty), None, by(ALICE, "one"), SAY)
    await settle(system)
    assert not (await post(system, key="one")[1]).replayed


async def test_answers_survive_a_restart(system: System) -> None:
    await settle(system)
    first = await post(system, key="one")[1]
    await system.restart()
    second = await post(system, key="one")[1]
    assert (second.answer, second.token, second.replayed) == (first.answer, first.token, True)


@pytest.mark.parametrize("forget", [False, True], ids=["as it is", "after cleaning up"])
async def test_answers_are_remembered_for_a_day_and_no_longer(system: System, forget: bool) -> None:
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


async def test_old_answers_are_forgotten_a_few_at_a_time(system: System) -> None:
    await settle(system)
    for n in range(5):
        await post(system, key=f"key {n}")[1]
    system.clock.now = Millis(START + DAY)
    assert [await system.store.forget_old_answers(2) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.sqlite_alone
async def test_the_effect_and_its_answer_are_on_disk_together_or_not_at_all(system: Embedded, tmp_path: Path) -> None:
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


@pytest.mark.sqlite_alone
async def test_a_commit_that_fails_leaves_neither_effect_nor_answer(system: Embedded) -> None:
    await settle(system)
    tweet = await posted(system)
    system.disk.failure = OSError("the disk is on fire")
    with pytest.raises(LogUnavailable):
        await like(system, tweet, key="one")
    system.disk.failure = None
    assert not (await engagement(system, BOB, tweet)).liked
    again = await like(system, tweet, key="one")
    assert (again.replayed, again.answer.body) == (False, b"TweetLiked")


def test_refusals_are_no_faults() -> None:
    assert not issubclass(StillRunning, Refused)
    assert issubclass(KeyReused, Refused)
