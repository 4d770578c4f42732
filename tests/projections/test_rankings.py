"""Answers of /trends are cached in proportion to the time that they took."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import pytest

from events.ids import Millis
from query_api import rankings as kept
from query_api.rankings import Rankings
from stores.readers import Readers
from stores.trends import WindowNumbers
from tests.streams.analytics import NOW, Analytics, Tweeting


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics()
    yield analytics
    analytics.close()


class Timer:
    """Seconds that advance when a test says so, and with each read of the store."""

    def __init__(self, readers: Readers) -> None:
        self.seconds = 0.0
        self.looks = 0
        look = readers.trends.numbers

        async def numbers(start: Millis, end: Millis) -> WindowNumbers:
            self.seconds += 0.1
            self.looks += 1
            return await look(start, end)

        readers.trends.numbers = numbers  # type: ignore[method-assign]

    def __call__(self) -> float:
        return self.seconds


def tags(body: bytes) -> list[str]:
    return [item["tag"] for item in msgspec.json.decode(body)["items"]]


async def test_an_answer_is_kept_twenty_times_as_long_as_it_took(analytics: Analytics) -> None:
    timer = Timer(analytics.readers)
    rankings = Rankings(timer)
    tweeting = Tweeting()
    tweeting.post("ada", "#museum", at=NOW - 1)
    await analytics.see(tweeting)
    first = await rankings.trends(analytics.readers, "1h", None, NOW)
    tweeting.post("bob", "#later", at=NOW - 1)
    await analytics.see(tweeting)

    timer.seconds += 1.9
    assert await rankings.trends(analytics.readers, "1h", None, NOW) == first
    timer.seconds += 0.2
    assert tags(await rankings.trends(analytics.readers, "1h", None, NOW)) == ["later", "museum"]


async def test_windows_and_moments_are_kept_apart_up_to_a_size_and_the_oldest_are_evicted(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 8
    body = await Rankings(time.perf_counter).trends(analytics.readers, "1h", NOW, NOW)
    monkeypatch.setattr(kept, "KEPT_BYTES", most * len(body))
    timer = Timer(analytics.readers)
    rankings = Rankings(timer)
    for at in range(most + 1):
        await rankings.trends(analytics.readers, "1h", Millis(NOW + at), NOW)
    assert timer.looks == most + 1

    await rankings.trends(analytics.readers, "1h", Millis(NOW + most), NOW)
    assert timer.looks == most + 1
    await rankings.trends(analytics.readers, "6h", Millis(NOW + most), NOW)
    await rankings.trends(analytics.readers, "1h", NOW, NOW)
    assert timer.looks == most + 3
