"""Media on Cassandra answer as in the embedded profile, for any order and batches of events, with copies."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.ids import MediaId
from events.media import MediaDeleted, MediaFinished, UploadStarted
from stores.media import Medium
from tests.community import Community
from tests.histories import batched, interleaved, redelivered
from tests.projections.projected import projected
from tests.stores.on_cassandra import OnCassandra

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def kept(cassandra: str) -> Iterator[OnCassandra]:
    kept = OnCassandra(cassandra)
    yield kept
    kept.close()


def media_of(community: Community) -> set[MediaId]:
    """Return every medium that has an event."""
    events = (record.event for record in community.records)
    return {event.media for event in events if isinstance(event, UploadStarted | MediaFinished | MediaDeleted)}


async def applied(kept: OnCassandra, community: Community, randomness: random.Random) -> None:
    await kept.empty()
    await kept.apply(batched(redelivered(interleaved(community.records, randomness), randomness), randomness))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), min_size=20, max_size=60),
    st.integers(0, 2**32).map(random.Random),
)
def test_every_medium_is_as_in_the_embedded_profile(
    kept: OnCassandra, steps: list[tuple[int, int]], randomness: random.Random
) -> None:
    community = Community()
    accounts = [community.register() for _ in range(3)]
    for actor, n in steps:
        if n % 3:
            community.media_step(accounts[actor], n)
        else:
            community.post(accounts[actor], n)
    embedded = projected([community.records])

    async def check() -> None:
        await applied(kept, community, randomness)
        media = kept.readers(embedded.readers).media
        for id_ in media_of(community):
            assert await media.by_id(id_) == await embedded.readers.media.by_id(id_)
            assert await media.used_in(id_) == await embedded.readers.media.used_in(id_)

    try:
        kept.run(check())
    finally:
        embedded.close()


def test_a_late_copy_of_an_upload_restores_nothing(kept: OnCassandra) -> None:
    community = Community()
    ada = community.register()
    community.media_step(ada, 4)
    (media,) = community.media[ada]
    started = community.records[-1]
    community.media_step(ada, 1)
    community.media_step(ada, 3)
    models = projected([community.records])

    async def told_again() -> Medium | None:
        await kept.empty()
        await kept.apply([community.records])
        # A sink that remembers nothing, as after a loss of what tells copies.
        await kept.apply([[started]], kept.group("another"))
        return await kept.readers(models.readers).media.by_id(media)

    gone = Medium(media, ada, "image/png", "", None, None, 2, 2, deleted=True)
    assert kept.run(told_again()) == gone
    models.close()


def test_a_medium_without_events_does_not_exist(kept: OnCassandra) -> None:
    community = Community()
    ada = community.register()
    never = MediaId(community.ids.issue())
    community.tell(MediaDeleted(media=never, owner=ada), ada)
    models = projected([community.records])

    async def asked() -> Medium | None:
        await kept.empty()
        await kept.apply([community.records])
        return await kept.readers(models.readers).media.by_id(never)

    assert kept.run(asked()) is None
    models.close()
