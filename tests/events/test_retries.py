"""A failed attempt is made again after a wait, until one succeeds or the backoff gives up; the log tells of it once."""

import asyncio
import logging

import pytest

from events import retries
from events.retries import JITTER, Backoff, Outage, retrying


class Unavailable(Exception):
    pass


class Failing:
    """Fails some times, then succeeds."""

    def __init__(self, failures: int, error: type[Exception] = Unavailable) -> None:
        self.left = failures
        self.error = error
        self.attempts = 0

    async def __call__(self) -> str:
        self.attempts += 1
        if self.left:
            self.left -= 1
            raise self.error(f"attempt {self.attempts}")
        return "done"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for. None takes any time, and none is jittered."""
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    monkeypatch.setattr(retries, "sleep", sleep)
    monkeypatch.setattr(retries, "random", lambda: 0.0)
    return waits


async def test_an_attempt_that_fails_is_made_again_after_each_wait_in_turn_and_the_last_repeats(
    waits: list[float],
) -> None:
    attempt = Failing(5)
    assert await retrying(attempt, Backoff((1, 2, 5)), (Unavailable,)) == "done"
    assert waits == [1, 2, 5, 5, 5]


async def test_after_the_last_wait_the_last_error_is_raised(waits: list[float]) -> None:
    attempt = Failing(9)
    with pytest.raises(Unavailable, match="attempt 4"):
        await retrying(attempt, Backoff((1, 2, 5), repeats=False), (Unavailable,))
    assert waits == [1, 2, 5]
    assert attempt.attempts == 4


async def test_attempts_end_when_their_time_is_over(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 101.0, 109.0, 110.0])  # it begins, and fails three times
    monkeypatch.setattr(retries, "monotonic", lambda: next(clock))
    with pytest.raises(Unavailable, match="attempt 3"):
        await retrying(Failing(9), Backoff((1,), within_s=10), (Unavailable,))
    assert waits == [1, 1]


async def test_any_other_error_is_raised_at_once(waits: list[float]) -> None:
    attempt = Failing(1, ValueError)
    with pytest.raises(ValueError, match="attempt 1"):
        await retrying(attempt, Backoff((1,)), (Unavailable,))
    assert waits == []


async def test_being_cancelled_ends_the_waiting() -> None:
    failed = asyncio.Event()
    attempt = Failing(1)
    task = asyncio.create_task(retrying(attempt, Backoff((3600,)), (Unavailable,), failed=lambda _: failed.set()))
    await failed.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert attempt.attempts == 1


async def test_each_failure_is_told() -> None:
    told = []
    await retrying(Failing(2), Backoff((0,)), (Unavailable,), failed=lambda error: told.append(str(error)))
    assert told == ["attempt 1", "attempt 2"]


def test_waits_are_jittered_and_never_longer_than_declared() -> None:
    waits = {Outage(Backoff((10,))).wait_s(Unavailable()) for _ in range(200)}
    assert len(waits) > 100
    assert 10 * (1 - JITTER) <= min(waits) < max(waits) <= 10


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await retrying(Failing(5), Backoff((1,)), (Unavailable,), what="Kafka")
    begun, ended = (record.getMessage() for record in caplog.records)
    assert "Kafka" in begun
    assert "attempt 1" in begun
    assert "Kafka" in ended


async def test_a_success_ends_an_outage_and_the_next_begins_with_the_first_wait(waits: list[float]) -> None:
    outage = Outage(Backoff((1, 2), repeats=False))
    for _ in range(3):
        await outage.wait(Unavailable())
        await outage.wait(Unavailable())
        outage.end()
    assert waits == [1, 2] * 3
