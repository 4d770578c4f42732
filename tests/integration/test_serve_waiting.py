"""Waiting for the read models, how far they are behind, checkpoints beside the writer, and the control socket."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.consistency_token import ConsistencyToken
from events.log import Positions, TopicPartition
from events.sqlite.checkpoints import PAGE_BYTES, Checkpointer
from events.sqlite.connection import connect
from runtime.embedded.control import (
    AwaitCurrent,
    ControlClient,
    ControlFailed,
    ControlServer,
    Done,
    Failed,
    Lagging,
    NoServer,
    Reply,
    Request,
    socket_path,
)
from runtime.embedded.lag import Lag
from runtime.embedded.read_positions import ReadPositions
from runtime.lag import BEHIND_S
from stores.groups import ANALYTICS, SERVING

TWEETS = TopicPartition("tweets", 0)
GRAPH = TopicPartition("graph", 0)


async def test_a_read_waits_until_the_serving_read_models_have_the_write() -> None:
    applied = ReadPositions()
    wanted = Positions({TWEETS: 3, GRAPH: 1})
    waiting = asyncio.create_task(applied.wait_for(ConsistencyToken(wanted), 60))
    await asyncio.sleep(0)
    applied.advance(ANALYTICS, wanted)
    applied.advance(SERVING, Positions({TWEETS: 3}))
    await asyncio.sleep(0)
    assert not waiting.done()
    applied.advance(SERVING, Positions({TWEETS: 4, GRAPH: 1}))
    assert await waiting is True
    assert await applied.wait_for(ConsistencyToken(wanted), 0) is True


async def test_a_read_that_waited_long_enough_is_told_so() -> None:
    applied = ReadPositions()
    assert await applied.wait_for(ConsistencyToken(Positions({TWEETS: 1})), 0.001) is False
    applied.advance(SERVING, Positions({TWEETS: 1}))


async def test_lag_is_counted_from_the_oldest_append_that_is_not_applied() -> None:
    applied, now, ends = ReadPositions(), 100.0, Positions()
    lag = Lag(applied, lambda: ends, lambda: now)
    assert lag.of(SERVING) == (0, 0.0)
    for second in range(1, 4):
        now = 100.0 + second
        ends = Positions({TWEETS: second * 10})
        lag.appended()
    now = 105.0
    assert lag.of(SERVING) == (30, 4.0)
    applied.advance(SERVING, Positions({TWEETS: 15}))
    assert lag.of(SERVING) == (15, 3.0)
    applied.advance(SERVING, ends)
    assert lag.of(SERVING) == (0, 0.0)
    assert lag.of(ANALYTICS).seconds == 4.0


async def test_what_was_appended_in_the_same_moment_as_an_applied_event_has_an_age_too() -> None:
    applied, now, ends = ReadPositions(), 100.0, Positions()
    lag = Lag(applied, lambda: ends, lambda: now)
    now, ends = 101.0, Positions({TWEETS: 1})
    lag.appended()
    now, ends = 101.01, Positions({TWEETS: 2})
    lag.appended()
    applied.advance(SERVING, Positions({TWEETS: 1}))
    now = 108.0
    assert lag.of(SERVING) == (1, 7.0)


async def test_what_waited_when_the_process_started_is_older_than_the_process() -> None:
    applied, now, ends = ReadPositions(), 100.0, Positions({TWEETS: 5})
    lag = Lag(applied, lambda: ends, lambda: now)
    now = 106.0
    assert lag.of(SERVING).seconds > BEHIND_S + 6.0


async def test_read_models_that_are_seconds_behind_say_so() -> None:
    applied, now, ends = ReadPositions(), 100.0, Positions()
    lag = Lag(applied, lambda: ends, lambda: now)
    applied.lags = lag.behind
    ends = Positions({TWEETS: 5})
    lag.appended()
    now = 104.0
    assert (applied.behind(("tweets",)), lag.detail()) == (False, "")
    now = 106.0
    assert applied.behind(("tweets",))
    assert lag.detail() == ("serving is 5 events and 6 s behind the log; analytics is 5 events and 6 s behind the log")
    applied.advance(SERVING, ends)
    now = 107.0
    assert not applied.behind(("tweets",))
    assert lag.detail() == "analytics is 5 events and 7 s behind the log"


def test_the_write_ahead_log_stays_short_under_a_writer_that_never_rests(tmp_path: Path) -> None:
    writer = connect(tmp_path / "a.db", durable=False)
    writer.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, filling BLOB)")
    reader = connect(tmp_path / "a.db", durable=False, read_only=True)
    checkpoints = Checkpointer(writer, after_mib=1)
    checkpoints.start()
    longest = 0
    for _ in range(400):
        with writer:
            writer.executemany("INSERT INTO t VALUES (NULL, ?)", [(os.urandom(2000),) for _ in range(100)])
        assert reader.execute("SELECT count(*) FROM (SELECT 1 FROM t LIMIT 1)").get == 1
        longest = max(longest, checkpoints.wal_bytes)
        if checkpoints.behind:
            checkpoints.finish()
    assert (tmp_path / "a.db").stat().st_size > 40 << 20
    assert longest < 30 << 20
    reader.close()
    checkpoints.stop()
    assert (tmp_path / "a.db-wal").stat().st_size == 0
    assert writer.execute("SELECT count(*) FROM t").get == 40_000
    writer.close()


def test_the_write_ahead_log_starts_over_when_a_long_read_is_done(tmp_path: Path) -> None:
    writer = connect(tmp_path / "a.db", durable=False)
    writer.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, filling BLOB)")
    checkpoints = Checkpointer(writer, after_mib=1)

    def write(mib: int) -> None:
        for _ in range(mib * 5):
            with writer:
                writer.executemany("INSERT INTO t VALUES (NULL, ?)", [(os.urandom(2000),) for _ in range(100)])

    reader = connect(tmp_path / "a.db", durable=False, read_only=True)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM t").get == 0
    write(5)
    checkpoints.finish()
    write(1)
    kept = checkpoints.wal_bytes
    assert kept > 5 << 20
    assert reader.execute("SELECT count(*) FROM t").get == 0
    reader.execute("COMMIT")
    reader.close()
    checkpoints.finish()
    write(1)
    assert checkpoints.wal_bytes < 3 << 20
    checkpoints.start()
    checkpoints.stop()
    writer.close()
    assert PAGE_BYTES == 4096


async def test_a_request_on_the_control_socket_is_answered_to_its_end(tmp_path: Path) -> None:
    async def handle(request: Request) -> AsyncIterator[Reply]:
        assert request == AwaitCurrent()
        yield Lagging(7)
        yield Lagging(0)

    server = ControlServer(tmp_path, handle, lambda error: None)
    await server.start()
    assert socket_path(tmp_path).stat().st_mode & 0o777 == 0o600
    async with ControlClient(tmp_path) as client:
        for _ in range(2):
            assert [reply async for reply in client.ask(AwaitCurrent())] == [Lagging(7), Lagging(0), Done()]
    await server.stop()
    assert not socket_path(tmp_path).exists()


async def test_a_command_that_failed_is_an_error_for_who_asked_and_no_end_of_the_server(tmp_path: Path) -> None:
    faults: list[BaseException] = []

    async def handle(request: Request) -> AsyncIterator[Reply]:
        if faults:
            yield Failed("cannot be done")
        else:
            raise RuntimeError("a fault of ours")
            yield Done()

    server = ControlServer(tmp_path, handle, faults.append)
    await server.start()
    async with ControlClient(tmp_path) as client:
        for reason in ("RuntimeError: a fault of ours", "cannot be done"):
            with pytest.raises(ControlFailed, match=reason):
                [reply async for reply in client.ask(AwaitCurrent())]
    assert [str(fault) for fault in faults] == ["a fault of ours"]
    await server.stop()


async def test_what_a_killed_server_left_of_its_socket_is_replaced(tmp_path: Path) -> None:
    async def handle(request: Request) -> AsyncIterator[Reply]:
        yield Done("anew")

    socket_path(tmp_path).touch()
    with pytest.raises(NoServer):
        async with ControlClient(tmp_path):
            pass
    server = ControlServer(tmp_path, handle, lambda error: None)
    await server.start()
    async with ControlClient(tmp_path) as client:
        assert [reply async for reply in client.ask(AwaitCurrent())] == [Done("anew")]
    await server.stop()


async def test_a_server_that_goes_away_is_no_answer(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def handle(request: Request) -> AsyncIterator[Reply]:
        begun.set()
        await asyncio.Event().wait()
        yield Done()

    server = ControlServer(tmp_path, handle, lambda error: None)
    await server.start()
    async with ControlClient(tmp_path) as client:

        async def ask() -> list[Reply]:
            return [reply async for reply in client.ask(AwaitCurrent())]

        asking = asyncio.create_task(ask())
        await begun.wait()
        await server.stop()
        with pytest.raises(NoServer, match="the server went away"):
            await asking


async def test_a_data_directory_with_a_long_name_has_its_socket_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    directory = tmp_path / ("a-long-name" * 12)
    directory.mkdir()
    place = socket_path(directory)
    assert place.parent == tmp_path / f"minitwitter-{os.getuid()}"
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert socket_path(Path(str(directory))) == place
    place.parent.chmod(0o755)
    with pytest.raises(NoServer, match="is not a directory of yours alone"):
        socket_path(directory)
