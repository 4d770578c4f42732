"""log.db as a file: damage is found and named, and a full disk loses nothing."""

import asyncio
import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import apsw
import pytest

from events.log import CorruptLog, LogUnavailable, by_partition
from events.sealing import KeyUnknown, MasterKeyMissing, SealBroken
from events.sqlite.connection import IncompatibleData
from events.sqlite.records import WrongPartitions, base
from runtime.embedded.log_db import LogDb, open_reader
from tests.integration.logs import checkpoint, everything, filled, followed, opened, posted, read_by_all


def changed(directory: Path, statement: str, *bindings: int) -> None:
    """Change the tables directly."""
    connection = apsw.Connection(str(directory / "log.db"))
    connection.execute(statement, bindings)
    assert connection.changes()
    connection.close()


# Damage


@pytest.mark.parametrize(
    "change",
    [
        "value=replace(value, 'x', 'y')",
        "headers=x'7b7d20'",
        "key=upper(key)",
        "type='AccountUnfollowed'",
        "time=time+1",
        "id=zeroblob(16)",
        "id=NULL",
        "id='text'",
        "version=version-1",
        "checksum=checksum+1",
        "key=NULL",
        "value=''",
    ],
)
async def test_a_record_that_was_changed_is_named(tmp_path: Path, change: str) -> None:
    directory = await filled(tmp_path / "data", 5)
    place = base(("graph", 0)) + 3
    connection = apsw.Connection(str(directory / "log.db"))
    connection.execute("CREATE TABLE changed AS SELECT * FROM records")  # as it stands: no constraints
    connection.execute(f"UPDATE changed SET {change} WHERE position=?", (place,))
    same = connection.execute("SELECT count(*) FROM (SELECT * FROM changed INTERSECT SELECT * FROM records)").get
    if same == 11:  # the change of a value that has no x in it
        connection.execute("UPDATE changed SET value=value||' ' WHERE position=?", (place,))
    connection.execute("DROP TABLE records; ALTER TABLE changed RENAME TO records")
    connection.close()
    read = await read_by_all(directory)
    assert [(record.position, record.event) for record in read if record.fault] == [("graph-0@3", None)]
    assert len(read) == 11


async def test_a_record_whose_text_is_no_text_is_named(tmp_path: Path) -> None:
    directory = await filled(tmp_path / "data", 5)
    changed(directory, "UPDATE records SET key=CAST(x'ff' AS TEXT) WHERE position=?", base(("graph", 0)) + 3)
    read = await read_by_all(directory)
    assert [record.position for record in read if record.fault] == ["graph-0@3"]
    assert len(read) == 11


async def test_two_records_that_changed_places_are_noticed(tmp_path: Path) -> None:
    directory = await filled(tmp_path / "data", 5)
    first = base(("graph", 0))
    for source, target in ((first, -1), (first + 1, first), (-1, first + 1)):
        changed(directory, "UPDATE records SET position=? WHERE position=?", target, source)
    read = await read_by_all(directory)
    assert [record.position for record in read if record.fault] == ["graph-0@0", "graph-0@1"]


@pytest.mark.parametrize("offset", [0, 2, 4], ids=["the first", "one between", "the last"])
async def test_a_record_that_is_missing_is_named(tmp_path: Path, offset: int) -> None:
    directory = await filled(tmp_path / "data", 5)
    changed(directory, "DELETE FROM records WHERE position=?", base(("tweets", 0)) + offset)
    with pytest.raises(CorruptLog, match=rf"tweets-0@{offset} is missing: .*restore it from a backup"):
        await everything(open_reader(directory))


@pytest.mark.parametrize(("topic", "left"), [("tweets", 4), ("accounts", 0)])
async def test_an_end_that_is_lost_is_noticed_before_anything_is_appended(
    tmp_path: Path, topic: str, left: int
) -> None:
    directory = await filled(tmp_path / "data", 5)
    changed(directory, "DELETE FROM records WHERE position=?", base((topic, 0)) + left)
    with pytest.raises(CorruptLog, match=f"{topic}-0 ends at {left} and should at {left + 1}; restore"):
        opened(directory)


@pytest.mark.parametrize("left", [0.9, 0.5, 0.1])
async def test_a_file_that_was_cut_short_is_refused_with_its_lengths(tmp_path: Path, left: float) -> None:
    directory = await filled(tmp_path / "data")
    path = directory / "log.db"
    length = path.stat().st_size
    os.truncate(path, int(length * left))
    for open_it in (opened, open_reader):
        with pytest.raises(CorruptLog, match=rf"log\.db is cut short: {int(length * left)} bytes where {length}"):
            open_it(directory)


@pytest.mark.parametrize("content", [b"something else entirely" * 300, b"short"])
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    await opened(tmp_path).close()  # it made the master key; open, its write-ahead log would make the file whole again
    (tmp_path / "log.db").write_bytes(content)
    for open_it in (opened, open_reader):
        with pytest.raises(CorruptLog, match="not an SQLite database"):
            open_it(tmp_path)


async def test_whatever_byte_is_changed_nothing_is_read_that_was_not_written(tmp_path: Path) -> None:
    directory = await filled(tmp_path / "data")
    written = await read_by_all(directory)
    checkpoint(directory)
    intact = (directory / "log.db").read_bytes()
    chance = random.Random(11)
    found = 0
    for n in range(60):
        damaged = bytearray(intact)
        for at in chance.sample(range(len(intact)), 20):
            damaged[at] ^= 1 << chance.randrange(8)
        copy = tmp_path / f"copy {n}"
        shutil.copytree(directory, copy)
        (copy / "log.db").write_bytes(damaged)
        try:
            read = await everything(open_reader(copy))
            assert [r.position for _, part in by_partition(read).items() for r in part] == [
                r.position for _, part in by_partition(written).items() for r in part
            ]
            assert all(record in written for record in read if not record.fault)
            found += read != written
        except (CorruptLog, SealBroken, MasterKeyMissing):
            found += 1
        shutil.rmtree(copy)
    assert found > 30


# Files of others


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    (tmp_path / "master.key").touch(0o600)
    opened(tmp_path / "another")
    shutil.copy(tmp_path / "another" / "master.key", tmp_path)
    with pytest.raises(IncompatibleData, match="another program"):
        opened(tmp_path)


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    await filled(tmp_path / "data", 1)
    connection = apsw.Connection(str(tmp_path / "data" / "log.db"))
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(IncompatibleData, match="newer minitwitter"):
        opened(tmp_path / "data")


async def test_events_of_a_newer_version_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    directory = await filled(tmp_path / "data", 1)
    changed(directory, "INSERT INTO kinds VALUES ('AccountTeleported', 1), ('AccountFollowed', 2)")
    with pytest.raises(IncompatibleData, match=r"AccountFollowed version 2, AccountTeleported version 1; a newer mini"):
        opened(directory)


async def test_a_log_of_an_older_version_notes_what_it_has_when_it_is_opened(tmp_path: Path) -> None:
    directory = await filled(tmp_path / "data", 1)
    connection = apsw.Connection(str(directory / "log.db"))
    connection.execute("DROP TABLE kinds")
    connection.close()
    db = opened(directory)
    assert db.table.kinds() == {("AccountRegistered", 1), ("TweetPosted", 3), ("AccountFollowed", 1)}
    await db.close()


async def test_what_is_undone_is_noted_once_it_is_written(tmp_path: Path) -> None:
    db = opened(tmp_path / "data")
    with pytest.raises(KeyUnknown):
        await db.log.append([followed(db), posted(db)])
    assert db.table.kinds() == set()
    await db.log.append([followed(db)])
    assert db.table.kinds() == {("AccountFollowed", 1)}
    await db.close()


async def test_the_number_of_partitions_never_changes(tmp_path: Path) -> None:
    await filled(tmp_path / "data", 1)
    with pytest.raises(WrongPartitions, match="has 1 partitions, the settings say 4"):
        opened(tmp_path / "data", partitions=4)


@pytest.mark.parametrize("another", [False, True], ids=["missing", "of another installation"])
async def test_without_its_master_key_a_log_is_not_read(tmp_path: Path, another: bool) -> None:
    await filled(tmp_path / "data", 1)
    (tmp_path / "data" / "master.key").unlink()
    if another:
        opened(tmp_path / "another")
        shutil.copy(tmp_path / "another" / "master.key", tmp_path / "data")
    with pytest.raises(MasterKeyMissing, match="master"):
        await read_by_all(tmp_path / "data")


# A full disk


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Every file of this process ends there: writing on fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def small_tmpfs(path: Path) -> Iterator[Path]:
    """A file system of 4 MB. Skips the test where none can be mounted, and fails it where CI has to have one."""
    path.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], check=False).returncode:
        reason = "mounting a tmpfs takes privileges that this run has not"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)  # at once, whatever a failed test left open


async def fill_until_refused(db: LogDb) -> int:
    """Append, many at once and then one at a time, until the disk refuses even that; how many were acknowledged."""
    acknowledged = 0
    for at_once in (10, 1):
        refused: list[BaseException] = []
        while not refused:
            appends = (db.log.append([posted(db, "x" * 2000)]) for _ in range(at_once))
            answers = await asyncio.gather(*appends, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, BaseException)]
            acknowledged += len(answers) - len(refused)
        assert {type(error) for error in refused} == {LogUnavailable}
    return acknowledged


async def a_disk_that_becomes_full(
    directory: Path, full: Callable[[], AbstractContextManager[object]], room: Callable[[], object]
) -> None:
    """`full` makes it so, `room` makes room again."""
    await filled(directory, 1)
    db = opened(directory)
    with full():
        acknowledged = 1 + await fill_until_refused(db)
        for _ in range(3):
            with pytest.raises(LogUnavailable):
                await db.log.append([posted(db, "x" * 2000)])
        assert sum(record.topic == "tweets" for record in await everything(db.log)) == acknowledged
        room()
    positions = await db.log.append([posted(db)])
    assert positions == dict.fromkeys(positions, acknowledged + 1)
    await db.close()
    assert sum(record.topic == "tweets" for record in await read_by_all(directory)) == acknowledged + 1


async def test_a_file_that_cannot_grow_loses_nothing_acknowledged_and_works_again(tmp_path: Path) -> None:
    await a_disk_that_becomes_full(tmp_path / "data", lambda: files_of_at_most(1_000_000), lambda: None)


async def test_a_full_file_system_loses_nothing_acknowledged_and_works_again(tmp_path: Path) -> None:
    with small_tmpfs(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 2_000_000)

        @contextmanager
        def full() -> Iterator[None]:
            yield

        await a_disk_that_becomes_full(disk / "data", full, ballast.unlink)
