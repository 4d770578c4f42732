"""The lag of a group behind the log, and the metrics of a group in a worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from events.event import Envelope
from events.ids import EventId, Millis, id_at
from events.log import Positions, Record, TopicPartition
from runtime import metrics
from runtime.distributed.roles.group_metrics import GroupMetrics
from runtime.embedded.lag import Lag
from runtime.embedded.read_positions import ReadPositions
from runtime.lag import BEHIND_S, Behind, Ends, told, total
from stores.groups import ANALYTICS, SERVING

A, B = TopicPartition("tweets", 0), TopicPartition("tweets", 1)
GRAPH = TopicPartition("graph", 0)


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ends(time: Time) -> Ends:
    ends = Ends(time)
    ends.note({})
    return ends


def test_each_partition_has_an_age_of_its_own(ends: Ends, time: Time) -> None:
    ends.note({A: 1})
    time.now = 102.0
    ends.note({A: 1, B: 5})
    time.now = 105.0
    assert ends.behind({}) == {A: Behind(1, 5.0), B: Behind(5, 3.0)}
    assert ends.behind({A: 1}) == {A: Behind(), B: Behind(5, 3.0)}
    assert total(ends.behind({})) == Behind(6, 5.0)


def test_topics_that_a_group_does_not_read_are_not_its_lag(ends: Ends, time: Time) -> None:
    ends.note({A: 3, GRAPH: 9})
    assert ends.behind({A: 3}, {"tweets"}) == {A: Behind()}


def test_a_group_ahead_of_the_noted_ends_is_not_behind(ends: Ends) -> None:
    ends.note({A: 3})
    assert ends.behind({A: 7}) == {A: Behind()}


def test_without_noted_ends_no_group_is_behind(time: Time) -> None:
    ends = Ends(time)
    assert (ends.latest, ends.behind({})) == (Positions(), {})


def test_however_long_it_lasts_an_age_is_never_rounded_down(time: Time) -> None:
    ends = Ends(time, apart_s=1, most=8)
    ends.note({})
    for second in range(1000):
        time.now = 100.0 + second
        ends.note({A: second + 1})
    assert ends.behind({})[A].events == 1000
    for reached in (0, 1, 10, 500, 999):
        assert ends.behind({A: reached})[A].seconds >= 999.0 - reached


def test_moments_that_everybody_has_passed_are_dropped(ends: Ends, time: Time) -> None:
    ends.note({A: 1})
    time.now = 101.0
    ends.note({A: 2})
    ends.forget([{A: 2}, {A: 1}])
    assert ends.behind({A: 1})[A] == Behind(1, 0.0)


def test_a_group_that_loses_positions_is_behind_at_once(ends: Ends, time: Time) -> None:
    for number in range(1, 4):
        time.now = 100.0 + number
        ends.note({A: number})
    ends.forget([{A: 3}])
    assert ends.behind({A: 3})[A] == Behind()
    assert ends.behind({A: 1})[A].seconds > BEHIND_S
    assert ends.behind({})[A].seconds > BEHIND_S


def test_a_group_is_said_to_be_behind_after_five_seconds() -> None:
    assert told("counts", Behind(9, 5.0)) == ""
    assert told("counts", Behind(1234, 61.0)) == "counts is 1,234 events and 61 s behind the log"


def test_a_group_that_starts_behind_the_log_reports_it_at_once(time: Time) -> None:
    applied = ReadPositions()
    lag = Lag(applied, lambda: Positions({A: 24_000}), time)
    assert lag.behind(SERVING)
    assert lag.detail().startswith("serving is 24,000 events and 5 s behind the log; analytics is")
    for group in (SERVING, ANALYTICS):
        applied.advance(group, Positions({A: 24_000}))
    assert lag.detail() == ""


def test_a_commit_is_fresh_when_a_group_has_applied_it(time: Time) -> None:
    applied, position = ReadPositions(), Positions()
    lag = Lag(applied, lambda: position, time)
    heard: list[tuple[str, float]] = []
    lag.applied_after = lambda group, seconds: heard.append((group, seconds))
    position = Positions({A: 1})
    lag.appended()
    time.now = 100.5
    position = Positions({A: 2})
    lag.appended()
    applied.advance(SERVING, Positions({A: 1}))
    time.now = 102.0
    applied.advance(SERVING, Positions({A: 2}))
    applied.advance(ANALYTICS, Positions({A: 2}))
    assert heard == [(SERVING, 0.5), (SERVING, 1.5), (ANALYTICS, 2.0), (ANALYTICS, 1.5)]


def sampled(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return registry.get_sample_value(name, labels) or 0.0


def test_a_worker_tells_of_its_own_partitions_and_of_freshness(ends: Ends, time: Time) -> None:
    registry = metrics.registry(metrics.PROJECTORS)
    at = Millis(1_763_000_000_000)
    watched = GroupMetrics("a group", ends, lambda: Millis(at + 300))
    worker: Any = SimpleNamespace(assigned=frozenset({A}), reached=Positions({A: 2}), on_assigned=None)
    watched.follow(worker)
    worker.on_assigned()
    ends.note({A: 5, B: 9})
    time.now = 103.0
    event_id = EventId(id_at(at, "a seed"))
    record = Record("tweets", 0, 4, "key", "TweetPosted", 3, None, Envelope(id=event_id, time=at))
    try:
        watched.applied([record, record])
        place = {"group": "a group", "topic": "tweets", "partition": "0"}
        assert sampled(registry, "minitwitter_projector_lag_events", **place) == 3
        assert sampled(registry, "minitwitter_projector_lag_seconds", **place) == 3.0
        other = place | {"partition": "1"}
        assert registry.get_sample_value("minitwitter_projector_lag_events", other) is None
        assert sampled(registry, "minitwitter_freshness_seconds_count", group="a group") == 2
        assert sampled(registry, "minitwitter_freshness_seconds_sum", group="a group") == pytest.approx(0.6)
        assert sampled(registry, "minitwitter_rebalances_total", group="a group") == 1
    finally:
        del metrics.LAGS["a group"]


def test_calls_to_engines_are_counted_by_whether_they_were_answered() -> None:
    registry = metrics.registry(metrics.QUERY)
    before = sampled(registry, "minitwitter_engine_errors_total", engine="redis")
    metrics.count_call("redis", 0.02, answered=True)
    metrics.count_call("redis", 2.0, answered=False)
    assert sampled(registry, "minitwitter_engine_errors_total", engine="redis") == before + 1
    assert sampled(registry, "minitwitter_engine_seconds_bucket", engine="redis", le="0.025") >= 1
