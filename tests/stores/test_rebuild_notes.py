"""Other processes see a rebuild while its command runs, and no longer."""

from collections.abc import AsyncIterator

import pytest

from stores.postgres.pointers import Pointers
from stores.postgres.rebuilds import Rebuild, Rebuilds
from tests.on_postgres import a_database

pytestmark = pytest.mark.engines


@pytest.fixture
async def url(postgres: str) -> AsyncIterator[str]:
    with a_database(postgres) as database:
        yield database


async def test_the_newest_progress_is_read_until_the_rebuild_ends(url: str) -> None:
    await Pointers(url).migrate()
    notes = Rebuilds(url)
    await notes.note(Rebuild("cassandra", 0, 0))
    await notes.note(Rebuild("cassandra", 30, 120))
    await notes.note(Rebuild("redis", 1, 1))
    assert await notes.running() == [("cassandra", 30, 120), ("redis", 1, 1)]
    await notes.end("redis")
    assert [(one.store, one.share) for one in await notes.running()] == [("cassandra", 0.25)]


async def test_progress_that_is_not_renewed_is_not_returned(url: str) -> None:
    await Pointers(url).migrate()
    await Rebuilds(url).note(Rebuild("cassandra", 30, 120))
    assert await Rebuilds(url, gone_s=0).running() == []


async def test_without_the_table_no_rebuild_is_returned(url: str) -> None:
    notes = Rebuilds(url)
    await notes.note(Rebuild("cassandra", 30, 120))
    assert await notes.running() == []
    await notes.end("cassandra")
