"""The circuit breaker refuses callers while Kafka fails, and closes when a probe succeeds."""

import pytest

from events.kafka.breaker import Breaker


class Timer:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def breaker(timer: Timer) -> Breaker:
    return Breaker(2.0, timer)


def test_everyone_is_admitted_before_anything_has_failed(breaker: Breaker) -> None:
    assert all(breaker.admits() for _ in range(3))
    assert not breaker.is_open


def test_after_a_failure_nobody_is_admitted_until_the_pause_is_over(breaker: Breaker, timer: Timer) -> None:
    breaker.failed()
    timer.now += 1.9
    assert breaker.is_open
    assert not breaker.admits()


def test_after_the_pause_one_is_admitted_and_no_other(breaker: Breaker, timer: Timer) -> None:
    breaker.failed()
    timer.now += 2.0
    assert [breaker.admits() for _ in range(3)] == [True, False, False]


def test_a_probe_that_succeeds_closes_it(breaker: Breaker, timer: Timer) -> None:
    breaker.failed()
    timer.now += 2.0
    assert breaker.admits()
    breaker.succeeded()
    assert not breaker.is_open
    assert all(breaker.admits() for _ in range(3))


def test_a_probe_that_fails_begins_another_pause(breaker: Breaker, timer: Timer) -> None:
    breaker.failed()
    timer.now += 2.0
    assert breaker.admits()
    timer.now += 1.0
    breaker.failed()
    timer.now += 1.9
    assert not breaker.admits()
    timer.now += 0.1
    assert breaker.admits()


def test_a_probe_that_is_never_heard_of_again_is_followed_by_another(breaker: Breaker, timer: Timer) -> None:
    breaker.failed()
    timer.now += 2.0
    assert breaker.admits()
    timer.now += 2.0
    assert breaker.admits()
