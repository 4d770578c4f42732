"""Group commit on a real connection and thread: every caller is answered, and every answer is true."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest
from apsw import Connection

from events.log import CorruptLog, LogUnavailable
from events.sqlite.connection import connect
from events.sqlite.group_commit import MOST_IN_ONE_COMMIT, CommitThread, GroupCommit

SOON = 10


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    connection = connect(tmp_path / "a.db", durable=True)
    connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    yield connection
    connection.close()


Look = Callable[[], list[int]]
"""Returns the numbers that another connection sees."""


async def on_the_loop(work: Callable[[], object]) -> None:
    work()


def adding(connection: Connection, n: int) -> Callable[[], int]:
    """Work that adds a number and answers how many there are."""

    def work() -> int:
        connection.execute("INSERT INTO numbers VALUES (?)", (n,))
        return int(str(connection.execute("SELECT count(*) FROM numbers").get))

    return work


@pytest.fixture
def numbers(connection: Connection, tmp_path: Path) -> Look:
    """Return the numbers that another connection sees."""

    def look() -> list[int]:
        other = connect(tmp_path / "a.db", durable=True, read_only=True)
        try:
            return [n for (n,) in other.execute("SELECT n FROM numbers ORDER BY n")]
        finally:
            other.close()

    return look


async def test_pieces_run_in_their_order_and_see_each_other(connection: Connection, numbers: Look) -> None:
    commits = GroupCommit(connection, on_the_loop)
    counts = await asyncio.gather(*(commits.run(adding(connection, n)) for n in range(20)))
    assert counts == list(range(1, 21))
    assert numbers() == list(range(20))


async def test_more_than_fit_in_one_commit_are_all_done(connection: Connection, numbers: Look) -> None:
    commits = GroupCommit(connection, on_the_loop, timer=lambda: 0.0)
    sizes = []
    commits.observe_commit = lambda seconds, pieces: sizes.append(pieces)
    many = MOST_IN_ONE_COMMIT + 10
    await asyncio.gather(*(commits.run(adding(connection, n)) for n in range(many)))
    assert sizes == [MOST_IN_ONE_COMMIT, 10]
    assert len(numbers()) == many


async def test_a_long_turn_ends_early_and_the_rest_comes_next(connection: Connection) -> None:
    now = iter(range(1000))
    commits = GroupCommit(connection, on_the_loop, timer=lambda: float(next(now)))  # a second each time it is asked
    sizes = []
    commits.observe_commit = lambda seconds, pieces: sizes.append(pieces)
    await asyncio.gather(*(commits.run(adding(connection, n)) for n in range(3)))
    assert sizes == [1, 1, 1]


async def test_a_piece_that_fails_before_it_writes_is_told_alone(connection: Connection, numbers: Look) -> None:
    commits = GroupCommit(connection, on_the_loop)

    def failing() -> None:
        raise ValueError("no")

    outcomes = await asyncio.gather(
        commits.run(adding(connection, 1)),
        commits.run(failing),
        commits.run(adding(connection, 2)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [int, ValueError, int]
    assert numbers() == [1, 2]


async def test_a_piece_that_fails_after_it_wrote_is_undone_alone(connection: Connection, numbers: Look) -> None:
    commits = GroupCommit(connection, on_the_loop)

    def failing() -> None:
        connection.execute("INSERT INTO numbers VALUES (99)")
        raise ValueError("no")

    pieces = [adding(connection, 1), failing, adding(connection, 2), adding(connection, 2), adding(connection, 3)]
    outcomes = await asyncio.gather(*map(commits.run, pieces), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, ValueError, int, apsw.ConstraintError, int]
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [1, 2, 3]
    assert numbers() == [1, 2, 3]


async def test_everyone_is_answered_when_no_transaction_can_begin(
    connection: Connection, numbers: Look, tmp_path: Path
) -> None:
    connection.set_busy_timeout(0)
    commits = GroupCommit(connection, on_the_loop)
    stranger = apsw.Connection(str(tmp_path / "a.db"))
    stranger.execute("BEGIN IMMEDIATE")
    running = asyncio.gather(*(commits.run(adding(connection, n)) for n in range(5)), return_exceptions=True)
    outcomes = await asyncio.wait_for(running, SOON)
    assert {type(outcome) for outcome in outcomes} == {LogUnavailable}
    assert len({id(outcome) for outcome in outcomes}) == 5  # an error raised in two tasks mixes their traces
    stranger.execute("ROLLBACK")
    stranger.close()
    assert await commits.run(adding(connection, 1)) == 1
    assert numbers() == [1]


async def test_work_that_swallows_the_disks_refusal_does_not_go_on_without_a_transaction(
    connection: Connection, numbers: Look
) -> None:
    commits = GroupCommit(connection, on_the_loop)
    connection.execute("CREATE TABLE texts (text)")
    connection.pragma("max_page_count", connection.pragma("page_count"))

    def swallowing() -> None:
        try:
            connection.execute("INSERT INTO texts VALUES (?)", ("x" * 100_000,))
        except apsw.FullError:
            return

    pieces = [adding(connection, 1), swallowing, adding(connection, 3)]
    outcomes = await asyncio.gather(*map(commits.run, pieces), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LogUnavailable, LogUnavailable, int]
    assert numbers() == [3]


async def test_a_damaged_file_raises_corrupt_log(connection: Connection) -> None:
    commits = GroupCommit(connection, on_the_loop)

    def meeting_damage() -> None:
        raise apsw.CorruptError("database disk image is malformed")

    outcomes = await asyncio.gather(
        commits.run(adding(connection, 1)), commits.run(meeting_damage), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {CorruptLog}


async def test_work_between_transactions_runs_while_none_is_open(connection: Connection) -> None:
    thread = CommitThread()
    commits = GroupCommit(connection, thread)
    open_ones = []
    commits.between = lambda: lambda: open_ones.append(connection.in_transaction)
    await commits.run(adding(connection, 1))
    await commits.run(adding(connection, 2))
    assert open_ones == [False, False]
    thread.close()


async def test_when_the_work_between_fails_everyone_is_answered(connection: Connection) -> None:
    commits = GroupCommit(connection, on_the_loop)

    def failing() -> None:
        raise ValueError("no")

    commits.between = lambda: failing
    waiting = [asyncio.ensure_future(commits.run(adding(connection, n))) for n in range(3)]
    await asyncio.sleep(0)
    drain = commits._running
    assert drain is not None
    outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), SOON)
    assert {type(outcome) for outcome in outcomes} == {LogUnavailable}
    with pytest.raises(ValueError, match="no"):
        await drain
    commits.between = lambda: None
    assert await commits.run(adding(connection, 1)) == 1


class Held:
    """Hold a commit in its thread until it is released, as a slow disk does."""

    def __init__(self, connection: Connection) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        connection.set_commit_hook(self._hold)

    def _hold(self) -> bool:
        self.begun.set()
        self.go.wait(SOON)
        return False


def closing_a_loop_while(
    connection: Connection, held: Held, let_go: Callable[[], object]
) -> tuple[dict[int, object], list[dict[str, object]]]:
    """Run work on a loop that is closed in the middle of a commit; the outcomes, and what the loop complained of."""
    thread = CommitThread()
    complaints: list[dict[str, object]] = []
    outcomes: list[tuple[int, object]] = []

    async def one(commits: GroupCommit, n: int) -> None:
        try:
            outcomes.append((n, await commits.run(adding(connection, n))))
        except BaseException as error:
            outcomes.append((n, type(error)))
            raise

    async def main() -> set[asyncio.Task[None]]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: complaints.append(context))
        commits = GroupCommit(connection, thread)
        tasks = {asyncio.ensure_future(one(commits, n)) for n in range(3)}
        await loop.run_in_executor(None, held.begun.wait, SOON)
        tasks |= {asyncio.ensure_future(one(commits, n)) for n in range(3, 6)}
        await asyncio.sleep(0)
        let_go()
        return tasks  # asyncio.run cancels what is left, the drain among it

    asyncio.run(main())
    thread.close()
    return dict(outcomes), complaints


@pytest.mark.parametrize("patience", [0.0, 0.05], ids=["the disk is done first", "the loop is done first"])
def test_a_loop_that_is_closed_while_the_disk_writes_leaves_a_whole_commit(
    connection: Connection, numbers: Look, patience: float
) -> None:
    held = Held(connection)
    timer = threading.Timer(patience, held.go.set)
    outcomes, complaints = closing_a_loop_while(connection, held, timer.start)
    timer.join()
    connection.set_commit_hook(None)
    assert complaints == []
    assert not connection.in_transaction
    there = set(numbers())
    assert there >= {0, 1, 2}  # their commit was under way: it counts
    assert set(outcomes) == set(range(6))
    assert {n for n, outcome in outcomes.items() if isinstance(outcome, int)} <= there
    assert not {n for n, outcome in outcomes.items() if outcome is LogUnavailable} & there


async def test_a_drain_that_is_cancelled_before_the_disk_begins_undoes_its_transaction(
    connection: Connection, numbers: Look
) -> None:
    begun = asyncio.Event()
    queued: list[Callable[[], object]] = []

    async def never(work: Callable[[], object]) -> None:
        queued.append(work)
        begun.set()
        await asyncio.Event().wait()

    commits = GroupCommit(connection, never)
    waiting = [asyncio.ensure_future(commits.run(adding(connection, n))) for n in range(3)]
    await begun.wait()
    late = asyncio.ensure_future(commits.run(adding(connection, 9)))
    await asyncio.sleep(0)
    drain = commits._running
    assert drain is not None
    drain.cancel()
    outcomes = await asyncio.wait_for(asyncio.gather(*waiting, late, return_exceptions=True), SOON)
    assert {type(outcome) for outcome in outcomes} == {LogUnavailable}
    assert drain.cancelled()
    assert numbers() == []
    assert not connection.in_transaction
    connection.execute("BEGIN")
    queued[0]()  # a thread that gets to it late must not commit what another transaction has begun
    assert connection.in_transaction
    connection.execute("ROLLBACK")


async def test_a_drain_that_is_cancelled_while_the_disk_writes_answers_what_was_written(
    connection: Connection, numbers: Look
) -> None:
    held, thread = Held(connection), CommitThread()
    commits = GroupCommit(connection, thread)
    waiting = [asyncio.ensure_future(commits.run(adding(connection, n))) for n in range(3)]
    await asyncio.get_running_loop().run_in_executor(None, held.begun.wait, SOON)
    drain = commits._running
    assert drain is not None
    drain.cancel()
    threading.Timer(0.05, held.go.set).start()
    outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), SOON)
    connection.set_commit_hook(None)
    assert outcomes == [1, 2, 3]
    assert drain.cancelled()
    assert numbers() == [0, 1, 2]
    assert await commits.run(adding(connection, 3)) == 4
    thread.close()


async def test_a_transaction_that_could_not_be_undone_is_undone_before_the_next(
    connection: Connection, numbers: Look
) -> None:
    commits = GroupCommit(connection, on_the_loop)
    connection.execute("BEGIN; INSERT INTO numbers VALUES (99)")
    assert await commits.run(adding(connection, 1)) == 1
    assert numbers() == [1]


async def test_closing_waits_and_can_itself_be_given_up(connection: Connection, numbers: Look) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def held(work: Callable[[], object]) -> None:
        begun.set()
        await go.wait()
        work()

    commits = GroupCommit(connection, held)
    waiting = asyncio.ensure_future(commits.run(adding(connection, 1)))
    await begun.wait()
    closing = asyncio.ensure_future(commits.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    assert not waiting.done()
    go.set()
    await commits.close()
    assert await waiting == 1
    assert numbers() == [1]
    with pytest.raises(LogUnavailable, match="closed"):
        await commits.run(adding(connection, 2))


async def test_a_piece_that_fails_by_what_another_wrote_is_told_so_only_if_that_is_on_disk(
    connection: Connection, numbers: Look
) -> None:
    """A refusal because a name is taken is wrong if the name was never committed."""

    def refusing() -> None:
        if connection.execute("SELECT count(*) FROM numbers").get:
            raise LookupError("taken")

    full = [True]

    async def disk(work: Callable[[], object]) -> None:
        if full.pop():
            raise apsw.FullError("full")
        work()

    commits = GroupCommit(connection, disk)
    answers = await asyncio.gather(commits.run(adding(connection, 1)), commits.run(refusing), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LogUnavailable, LogUnavailable]

    full.append(False)
    answers = await asyncio.gather(commits.run(adding(connection, 1)), commits.run(refusing), return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, LookupError]
    assert numbers() == [1]
