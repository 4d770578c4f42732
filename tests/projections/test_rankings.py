"""Answers of /trends are cached in proportion to the time that they took."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from events.ids import Millis
from query_api.rankings import KEPT, Rankings
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


async def test_windows_and_moments_are_kept_apart_and_the_oldest_are_let_go(analytics: Analytics) -> None:
    timer = Timer(analytics.readers)
    rankings = Rankings(timer)
    for at in range(KEPT + 1):
        timer.seconds = 0.0
        await rankings.trends(analytics.readers, "1h", Millis(NOW + at), NOW)
    assert timer.looks == KEPT + 1

    timer.seconds = 0.0
    await rankings.trends(analytics.readers, "1h", Millis(NOW + KEPT), NOW)
    assert timer.looks == KEPT + 1
    await rankings.trends(analytics.readers, "6h", Millis(NOW + KEPT), NOW)
    await rankings.trends(analytics.readers, "1h", NOW, NOW)
    assert timer.looks == KEPT + 3
