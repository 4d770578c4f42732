"""A reader never meets an event version that it cannot read, in whatever order processes start and stop."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from stores.postgres.event_versions import EventVersions, NewerLog, ReadersBehind
from stores.postgres.pointers import Pointers
from tests.on_postgres import a_database

pytestmark = pytest.mark.engines

OLD = {"TweetPosted": 3, "TweetLiked": 1}
NEW = {"TweetPosted": 4, "TweetLiked": 1, "TweetTranslated": 1}


@pytest.fixture
async def url(postgres: str) -> AsyncIterator[str]:
    with a_database(postgres) as database:
        await Pointers(database).migrate()
        yield database


@pytest.fixture
def versions(url: str) -> EventVersions:
    return EventVersions(url)


def process() -> str:
    return str(uuid.uuid4())


async def test_a_newer_version_is_not_written_before_every_reader_can_read_it(versions: EventVersions) -> None:
    older, newer = process(), process()
    await versions.register(older, "projectors", OLD)
    await versions.register(newer, "projectors", NEW)
    with pytest.raises(ReadersBehind, match=r"projectors.*TweetPosted version 4, TweetTranslated version 1.*replace"):
        await versions.allow(NEW)
    await versions.allow(OLD)  # older ones go on deciding
    await versions.leave(older)
    await versions.allow(NEW)


async def test_a_killed_reader_is_waited_for_until_its_registration_expires(url: str, versions: EventVersions) -> None:
    await versions.register(process(), "streams", OLD)
    with pytest.raises(ReadersBehind):
        await EventVersions(url, gone_s=600).allow(NEW)
    await EventVersions(url, gone_s=0).allow(NEW)


async def test_a_reader_that_renews_stays_registered(url: str, versions: EventVersions) -> None:
    reader = process()
    await versions.register(reader, "query", OLD)
    await asyncio.sleep(0.05)
    await versions.register(reader, "query", OLD)
    with pytest.raises(ReadersBehind):
        await EventVersions(url, gone_s=0.04).allow(NEW)


async def test_a_reader_of_older_software_is_refused_once_the_newer_version_may_be_written(
    versions: EventVersions,
) -> None:
    await versions.allow(NEW)
    with pytest.raises(NewerLog, match="TweetPosted version 4, TweetTranslated version 1"):
        await versions.register(process(), "projectors", OLD)
    await versions.register(process(), "projectors", NEW)


async def test_an_expired_reader_that_renews_is_refused_if_it_is_too_old(url: str, versions: EventVersions) -> None:
    reader = process()
    await versions.register(reader, "projectors", OLD)
    await EventVersions(url, gone_s=0).allow(NEW)
    with pytest.raises(NewerLog):
        await versions.register(reader, "projectors", OLD)


async def test_older_software_does_not_decide_when_the_log_may_have_newer_versions(versions: EventVersions) -> None:
    await versions.allow(NEW)
    with pytest.raises(NewerLog, match="TweetPosted version 4"):
        await versions.allow(OLD)


async def test_a_reader_and_a_writer_with_different_versions_are_never_both_accepted(url: str) -> None:
    """The first one excludes the other."""
    for _ in range(10):
        with_ = EventVersions(url)
        reader = process()
        let = await asyncio.gather(with_.register(reader, "projectors", OLD), with_.allow(NEW), return_exceptions=True)
        assert sum(isinstance(each, Exception) for each in let) == 1
        if isinstance(let[0], Exception):
            return
        await with_.leave(reader)
