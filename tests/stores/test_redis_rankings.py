"""Rankings of /trends are shared through Redis. Each process ranks for itself while Redis is unavailable."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from events.ids import Millis
from query_api.rankings import Rankings
from stores.readers import Readers
from stores.redis.connection import Client, connect
from stores.redis.rankings import RedisRankings
from stores.trends import WindowNumbers
from tests.streams.analytics import NOW, Analytics, Tweeting

pytestmark = pytest.mark.engines

NOBODY = "redis://127.0.0.1:1/0"
"""An address where no Redis answers."""


class Counted:
    """A store that answers slowly, as over a network, and counts its calls."""

    def __init__(self, readers: Readers) -> None:
        self.seconds = 0.0
        self.looks = 0
        self.looked = asyncio.Event()
        look = readers.trends.numbers

        async def numbers(start: Millis, end: Millis) -> WindowNumbers:
            self.looks += 1
            self.looked.set()
            await asyncio.sleep(0)
            self.seconds += 1.0
            return await look(start, end)

        readers.trends.numbers = numbers  # type: ignore[method-assign]

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics()
    yield analytics
    analytics.close()


def kept(client: Client) -> RedisRankings:
    return RedisRankings(client, f"test-{uuid.uuid4().hex[:8]}-trends@1")


async def used(analytics: Analytics) -> Counted:
    tweeting = Tweeting()
    tweeting.post("ada", "#museum", at=NOW - 1)
    await analytics.see(tweeting)
    return Counted(analytics.readers)


async def test_a_ranking_of_one_process_is_the_answer_of_another(analytics: Analytics, client: Client) -> None:
    timer = await used(analytics)
    shared = kept(client)
    one, other = Rankings(timer, shared), Rankings(timer, shared)
    first = await one.trends(analytics.readers, "1h", None, NOW)
    assert b"museum" in first
    assert await other.trends(analytics.readers, "1h", None, Millis(NOW + 1)) == first
    assert timer.looks == 1
    assert await other.trends(analytics.readers, "6h", None, NOW) != first
    assert await other.trends(analytics.readers, "1h", NOW, NOW)
    assert timer.looks == 3


async def test_an_answer_is_cached_twenty_times_as_long_as_ranking_took(analytics: Analytics, client: Client) -> None:
    timer = await used(analytics)
    shared = kept(client)
    await Rankings(timer, shared).trends(analytics.readers, "1h", None, NOW)
    assert 0 < await client.pttl(f"{{{shared._name}.1h}}:now") <= 20_000


async def test_concurrent_requests_rank_once(analytics: Analytics, client: Client) -> None:
    timer = await used(analytics)
    rankings = Rankings(timer, kept(client))
    leaving = asyncio.ensure_future(rankings.trends(analytics.readers, "1h", None, NOW))
    asking = [asyncio.ensure_future(rankings.trends(analytics.readers, "1h", None, NOW)) for _ in range(20)]
    await timer.looked.wait()
    leaving.cancel()
    assert len(set(await asyncio.gather(*asking))) == 1
    assert timer.looks == 1


async def test_without_redis_each_process_ranks_for_itself_without_an_error(analytics: Analytics) -> None:
    timer = await used(analytics)
    client = connect(NOBODY)
    one, other = Rankings(timer, kept(client)), Rankings(timer, kept(client))
    first = await one.trends(analytics.readers, "1h", None, NOW)
    assert await one.trends(analytics.readers, "1h", None, NOW) == first
    assert timer.looks == 1
    assert await other.trends(analytics.readers, "1h", None, NOW) == first
    assert timer.looks == 2
    await client.aclose()
