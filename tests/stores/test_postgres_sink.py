"""The sink on PostgreSQL with several workers, two hosts, and a server that dies."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from events.ids import AccountId, Millis, TweetId, id_at
from events.log import Positions, Record, positions_after
from events.migrations import MigrationRefused
from events.tweets import TweetDeleted, TweetPosted
from infra.local import catalogue
from infra.local.running import Running
from runtime.dead_letter_policy import CannotApply
from runtime.processor_group import Group
from stores.postgres import database as postgres_database
from stores.postgres.database import Database
from stores.search import Query
from stores.sink import StoreUnavailable
from tests.projections.searched import START, edited, posted
from tests.stores.on_postgres import OnPostgres, Told, a_schema, apply, digests, emptied, rows

pytestmark = pytest.mark.engines

PEOPLE = [AccountId(id_at(START, "author", str(n))) for n in range(8)]


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[Database]:
    with a_schema(postgres) as made:
        yield made


@pytest.fixture
async def index(database: Database) -> AsyncIterator[OnPostgres]:
    async with emptied(database) as made:
        yield made


def tweets(count: int, chance: random.Random) -> Iterator[TweetPosted | TweetDeleted]:
    """Tweets of several authors with common tags, some edited or deleted."""
    for n in range(count):
        tweet = TweetId(id_at(Millis(START + n), "tweet", str(n)))
        by = chance.choice(PEOPLE)
        tags = " ".join(f"#t{chance.randrange(6)}" for _ in range(3))
        yield posted(tweet, by, tags)
        if chance.random() < 0.2:
            yield edited(tweet, by, "#t1 #other")  # type: ignore[misc]
        if chance.random() < 0.3:
            yield TweetDeleted(tweet=tweet, author=by)


async def uses(index: OnPostgres) -> dict[str, int]:
    async with index.pool.connection() as connection:
        return dict(await rows(connection, "SELECT tag, uses FROM hashtag_search_tags"))


async def commit_batch(group: Group, batch: Sequence[Record]) -> None:
    await group.apply(batch, positions_after(batch))


async def test_two_workers_that_both_believe_to_have_a_partition_apply_nothing_twice(index: OnPostgres) -> None:
    """The second batch began before the commit of the first, so its newest ids are old."""
    told = Told()
    first = told.tell(posted(TweetId(id_at(START, "one")), PEOPLE[0], "#a"))
    second = told.tell(posted(TweetId(id_at(START, "two")), PEOPLE[0], "#a"))
    other, sink = index.worker()
    await sink.positions()
    await commit_batch(index.group, first)

    with pytest.raises(StoreUnavailable, match="another worker"):
        await commit_batch(other, [*first, *second])
    assert await uses(index) == {"a": 1}
    await commit_batch(other, [*first, *second])
    assert await uses(index) == {"a": 2}

    with pytest.raises(StoreUnavailable, match="another worker"):
        await commit_batch(index.group, second)
    await commit_batch(index.group, second)
    assert await uses(index) == {"a": 2}
    assert await sink.positions() == positions_after(second)
    await sink.close()


async def test_positions_never_go_back(index: OnPostgres) -> None:
    told = Told()
    records = told.tell(*(posted(TweetId(id_at(START, str(n))), PEOPLE[0], "a") for n in range(5)))
    await commit_batch(index.group, records)
    await commit_batch(index.group, records[:2])

    assert await index.sink.positions() == positions_after(records)


async def test_workers_that_count_the_same_tags_at_once_count_correctly_and_never_deadlock(
    index: OnPostgres,
) -> None:
    """Each worker has its own partitions; all use the same tags. A deadlock would raise StoreUnavailable."""
    told = Told(partitions=4)
    records = told.tell(*tweets(400, random.Random(3)))
    others = [index.worker() for _ in range(2)]
    groups = [index.group, *(group for group, _ in others)]
    shares = [[record for record in records if record.partition % 3 == n] for n in range(3)]

    async def work(group: Group, share: Sequence[Record]) -> None:
        await apply(group, (share[start : start + 7] for start in range(0, len(share), 7)))

    await asyncio.gather(*(work(group, share) for group, share in zip(groups, shares, strict=True)))
    at_once = await digests(index.database)
    for _, sink in others:
        await sink.close()
    async with emptied(index.database) as alone:
        await apply(alone.group, [records])
    assert await digests(index.database) == at_once


async def test_a_server_that_is_unavailable_is_reported_as_unavailable() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    index = OnPostgres(nowhere)
    with pytest.raises(StoreUnavailable):
        await index.sink.positions()
    with pytest.raises(StoreUnavailable):
        await index.sink.begin()
    with pytest.raises(StoreUnavailable):
        await nowhere.migrate()


async def test_a_batch_whose_connection_is_cut_is_rolled_back_and_committed_later(index: OnPostgres) -> None:
    told = Told()
    batch = told.tell(posted(TweetId(id_at(START, "one")), PEOPLE[0], "#a"))
    await index.sink.begin()
    async with index.pool.connection() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'idle in transaction'"
        )
    with pytest.raises(StoreUnavailable):
        await index.sink.commit(positions_after(batch), {})
    assert await index.sink.positions() == {}

    await commit_batch(index.group, batch)
    assert await uses(index) == {"a": 1}


async def test_a_killed_server_keeps_committed_rows_and_readers_connect_again(running: Running) -> None:
    engine = catalogue.engine("postgres")
    database = Database(running.up(engine).url)
    await database.migrate()
    async with emptied(database) as index:
        told = Told()
        first = told.tell(posted(TweetId(id_at(START, "one")), PEOPLE[0], "late"))
        second = told.tell(posted(TweetId(id_at(START, "two")), PEOPLE[0], "late"))
        await commit_batch(index.group, first)
        running.kill("postgres")

        with pytest.raises(StoreUnavailable):
            await index.tweets.newest(Query((("late",),)), None, 9)
        with pytest.raises(StoreUnavailable):
            await commit_batch(index.group, second)
        running.up(engine)

        assert await index.sink.positions() == positions_after(first)
        await commit_batch(index.group, second)
        assert len((await index.tweets.newest(Query((("late",),)), None, 9)).items) == 2


async def test_migrating_from_two_hosts_at_once_and_again_applies_each_file_once(postgres: str) -> None:
    database = Database(postgres, "migrated_twice")
    await database.drop()
    applied = await asyncio.gather(database.migrate(), database.migrate())

    assert sorted(map(len, applied)) == [0, len(list(postgres_database.MIGRATIONS.glob("*.sql")))]
    assert await database.migrate() == []
    await database.drop()


async def test_a_migration_file_that_was_changed_after_it_was_applied_is_refused(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgres, "migrated_otherwise")
    await database.drop()
    monkeypatch.setattr(postgres_database, "MIGRATIONS", tmp_path)
    file = tmp_path / "001_one.sql"
    file.write_text("CREATE TABLE one (a integer)")
    await database.migrate()
    file.write_text("CREATE TABLE one (a bigint)")
    with pytest.raises(MigrationRefused, match="has been changed since"):
        await database.migrate()
    file.rename(tmp_path / "002_two.sql")
    with pytest.raises(MigrationRefused, match="should begin with 001_"):
        await database.migrate()
    await database.drop()


async def test_a_batch_of_many_accounts_is_atomic(index: OnPostgres) -> None:
    """A statement in the middle fails, and those before it leave nothing."""
    told = Told()
    batch = told.tell(*(posted(TweetId(id_at(START, str(n))), PEOPLE[0], "#a") for n in range(5)))
    async with index.pool.connection() as connection:
        await connection.execute("ALTER TABLE hashtag_search_uses ADD CONSTRAINT none CHECK (tag <> 'a')")
    with pytest.raises(CannotApply, match="CheckViolation"):
        await commit_batch(index.group, batch)
    assert (await digests(index.database))["search"][0] == 0
    assert await index.sink.positions() == Positions()
    async with index.pool.connection() as connection:
        await connection.execute("ALTER TABLE hashtag_search_uses DROP CONSTRAINT none")
    await commit_batch(index.group, batch)
    assert await uses(index) == {"a": 5}


def test_the_name_of_a_schema_cannot_inject_sql() -> None:
    with pytest.raises(ValueError, match="not a name for a schema"):
        Database("postgresql://", "search; DROP SCHEMA public")
