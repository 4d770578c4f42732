"""The contract of the Sink port, for every adapter."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from events.first_copies import Entity
from events.fitting import Mark
from events.ids import Millis, first_id_at
from events.log import Positions, TopicPartition
from stores.sink import Sink, SinkMoved, StoreUnavailable
from stores.sqlite.sink import SqliteSink
from stores.sqlite.views import Tables, Views
from tests.contracts.cassandra_sinks import CassandraSinks
from tests.contracts.postgres_sinks import PostgresSinks
from tests.contracts.redis_sinks import RedisSinks

TWEETS, GRAPH = TopicPartition("tweets", 0), TopicPartition("graph", 3)
ALICE, BOB = ("tweets", "alice"), ("tweets", "bob")
ALICE_TOO = ("graph", "alice")
ONE, TWO, THREE = (first_id_at(Millis(n)) for n in (1, 2, 3))
NOTES = Tables(model="notes", version=1, tables={"notes": "(text TEXT PRIMARY KEY) WITHOUT ROWID"})


class Sinks(Protocol):
    """A store with one read model of texts, and the sinks of its groups."""

    @property
    def sink(self) -> Sink: ...
    def close(self) -> None: ...
    def restart(self) -> None: ...
    def group(self, name: str) -> Sink: ...
    def write(self, text: str) -> None: ...
    def notes(self) -> list[str]: ...
    def fill(self) -> None: ...
    def make_room(self) -> None: ...
    def lock(self, on: bool) -> None: ...


class LosingSinks(Sinks, Protocol):
    """A store that can lose its data."""

    def lose(self) -> None: ...


class SqliteSinks:
    """views.db with one read model, and the sinks of its groups."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open()

    def open(self) -> None:
        self.views = Views(self.path, [NOTES])
        self.sink = self.group("serving")

    def close(self) -> None:
        self.views.connection.close()

    def restart(self) -> None:
        self.close()
        self.open()

    def group(self, name: str) -> SqliteSink:
        return SqliteSink(self.views, name)

    def write(self, text: str) -> None:
        self.views.connection.execute("INSERT INTO notes_1 VALUES (?)", (text,))

    def notes(self) -> list[str]:
        """Return the committed notes."""
        other = Views(self.path, [NOTES], read_only=True)
        try:
            return [row[0] for row in other.connection.execute("SELECT text FROM notes_1 ORDER BY text")]
        finally:
            other.connection.close()

    def fill(self) -> None:
        """Make the disk full: it has no room for another page."""
        self.views.connection.pragma("max_page_count", self.views.connection.pragma("page_count"))

    def make_room(self) -> None:
        self.views.connection.pragma("max_page_count", 1_000_000)

    def lock(self, on: bool) -> None:
        self.views.connection.pragma("query_only", on)


ENGINES: dict[str, tuple[str, Callable[[Any], Sinks]]] = {
    "postgres": ("postgres", PostgresSinks),
    "cassandra": ("sink_keyspace", CassandraSinks),
    "redis": ("redis_clients", RedisSinks),
}


@pytest.fixture(params=["sqlite", *(pytest.param(engine, marks=pytest.mark.engines) for engine in ENGINES)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sinks]:
    if request.param in ENGINES:
        where, made = ENGINES[request.param]
        sinks: Sinks = made(request.getfixturevalue(where))
    else:
        sinks = SqliteSinks(tmp_path / "views.db")
    yield sinks
    sinks.close()


async def commit_batch(
    store: Sinks, text: str, positions: dict[TopicPartition, int], newest: dict[Entity, str]
) -> None:
    await store.sink.begin()
    store.write(text)
    await store.sink.commit(Positions(positions), newest)


async def empty_batch(store: Sinks) -> None:
    await store.sink.begin()
    await store.sink.commit(Positions({TWEETS: 1}), {ALICE: ONE})


async def test_a_new_sink_has_no_positions_and_no_newest_ids(store: Sinks) -> None:
    assert await store.sink.positions() == {}
    assert await store.sink.newest([ALICE]) == {}


async def test_rows_positions_and_newest_ids_commit_together(store: Sinks) -> None:
    await store.sink.begin()
    store.write("a note")
    assert store.notes() == []
    await store.sink.commit(Positions({TWEETS: 7, GRAPH: 2}), {ALICE: ONE, ALICE_TOO: TWO})
    store.restart()
    assert store.notes() == ["a note"]
    assert await store.sink.positions() == {TWEETS: 7, GRAPH: 2}
    assert await store.sink.newest([ALICE, BOB, ALICE_TOO]) == {ALICE: ONE, ALICE_TOO: TWO}


async def test_later_batches_replace_positions_and_newest_ids(store: Sinks) -> None:
    await commit_batch(store, "one", {TWEETS: 7, GRAPH: 2}, {ALICE: ONE, BOB: ONE})
    await commit_batch(store, "two", {TWEETS: 9, GRAPH: 2}, {ALICE: THREE})
    for _ in range(2):
        assert await store.sink.positions() == {TWEETS: 9, GRAPH: 2}
        assert await store.sink.newest([ALICE, BOB]) == {ALICE: THREE, BOB: ONE}
        store.restart()


async def test_an_abandoned_batch_leaves_nothing(store: Sinks) -> None:
    await commit_batch(store, "one", {TWEETS: 7}, {ALICE: ONE})
    await store.sink.begin()
    store.write("two")
    await store.sink.abandon()
    assert store.notes() == ["one"]
    assert await store.sink.positions() == {TWEETS: 7}
    await commit_batch(store, "two", {TWEETS: 8}, {ALICE: TWO})
    assert store.notes() == ["one", "two"]


async def test_a_process_that_dies_during_a_batch_leaves_nothing_of_it(store: Sinks) -> None:
    await commit_batch(store, "one", {TWEETS: 7}, {ALICE: ONE})
    await store.sink.begin()
    store.write("two")
    store.restart()
    assert store.notes() == ["one"]
    assert await store.sink.positions() == {TWEETS: 7}
    assert await store.sink.newest([ALICE]) == {ALICE: ONE}


async def test_checking_an_unchanged_store_raises_nothing(store: Sinks) -> None:
    await store.sink.check()
    await commit_batch(store, "one", {TWEETS: 7}, {ALICE: ONE})
    await store.sink.check()
    store.restart()
    await store.sink.check()


@pytest.mark.parametrize("store", [pytest.param(e, marks=pytest.mark.engines) for e in ENGINES], indirect=True)
async def test_a_store_that_lost_its_data_is_detected_without_new_events_and_filled_again(store: LosingSinks) -> None:
    await commit_batch(store, "one", {TWEETS: 7}, {ALICE: ONE})
    store.lose()
    with pytest.raises(SinkMoved, match=r"^[A-Z][A-Za-z]+ does not hold what this group left there: it was lost, "):
        await store.sink.check()
    assert await store.sink.positions() == {}
    await store.sink.check()
    await commit_batch(store, "one", {TWEETS: 7}, {ALICE: ONE})
    assert store.notes() == ["one"]


async def test_groups_have_positions_and_newest_ids_of_their_own(store: Sinks) -> None:
    await commit_batch(store, "one", {TWEETS: 7}, {ALICE: ONE})
    other = store.group("analytics")
    assert await other.positions() == {}
    assert await other.newest([ALICE]) == {}


async def test_after_its_positions_were_read_a_sink_knows_the_ids_that_another_one_stored(store: Sinks) -> None:
    opened_before = store.sink
    assert await opened_before.newest([ALICE]) == {}
    other = store.group("serving")
    await other.begin()
    await other.commit(Positions({TWEETS: 7}), {ALICE: ONE})
    assert await opened_before.positions() == {TWEETS: 7}
    assert await opened_before.newest([ALICE, BOB]) == {ALICE: ONE}


async def test_a_full_disk_rolls_back_the_batch_which_can_be_committed_later(store: Sinks) -> None:
    await commit_batch(store, "one", {TWEETS: 7}, {ALICE: ONE})
    store.fill()
    many = {("tweets", f"account {n:03} of many, so that there is something to write"): TWO for n in range(500)}
    with pytest.raises(StoreUnavailable):
        await commit_batch(store, "two", {TWEETS: 600}, many | {ALICE: TWO})
    assert store.notes() == ["one"]
    store.make_room()
    assert await store.sink.positions() == {TWEETS: 7}
    assert await store.sink.newest([ALICE, *many]) == {ALICE: ONE}
    await commit_batch(store, "two", {TWEETS: 600}, many | {ALICE: TWO})
    assert await store.sink.newest([ALICE]) == {ALICE: TWO}
    assert await store.sink.positions() == {TWEETS: 600}


async def test_a_file_that_cannot_be_written_is_reported_as_unavailable(store: Sinks) -> None:
    store.lock(True)
    with pytest.raises(StoreUnavailable):
        await empty_batch(store)
    store.lock(False)
    await commit_batch(store, "one", {TWEETS: 7}, {ALICE: ONE})


async def test_a_batch_whose_positions_cannot_be_stored_is_rolled_back(store: Sinks) -> None:
    await store.sink.begin()
    store.write("one")
    with pytest.raises(KeyError):
        await store.sink.commit(Positions({TWEETS: 7}), {("no such topic", "alice"): ONE})
    assert store.notes() == []
    await commit_batch(store, "two", {TWEETS: 7}, {ALICE: ONE})
    assert store.notes() == ["two"]


async def test_each_position_is_stored_with_the_event_just_before_it(store: Sinks) -> None:
    assert await store.sink.marks() == {}
    await store.sink.begin()
    store.write("one")
    await store.sink.commit(Positions({TWEETS: 7, GRAPH: 2}), {ALICE: ONE}, {TWEETS: ONE})
    for _ in range(2):
        assert await store.sink.marks() == {TWEETS: Mark(7, ONE), GRAPH: Mark(2)}
        store.restart()
    await store.sink.begin()
    store.write("two")
    await store.sink.commit(Positions({TWEETS: 7, GRAPH: 3}), {ALICE_TOO: TWO}, {GRAPH: TWO})
    assert await store.sink.marks() == {TWEETS: Mark(7, ONE), GRAPH: Mark(3, TWO)}


async def test_a_position_after_skipped_records_has_no_mark_of_an_older_event(store: Sinks) -> None:
    await store.sink.begin()
    store.write("one")
    await store.sink.commit(Positions({TWEETS: 7}), {ALICE: ONE}, {TWEETS: ONE})
    await store.sink.begin()
    store.write("two")
    await store.sink.commit(Positions({TWEETS: 9}), {})
    store.restart()
    assert await store.sink.marks() == {TWEETS: Mark(9)}
