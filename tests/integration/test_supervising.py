"""Groups of one process fail independently: a group that fails is restarted alone."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from structlog.testing import capture_logs

from runtime.distributed.roles import supervisor as supervising
from runtime.distributed.roles.supervisor import Supervisor, all_ended
from stores.sink import SinkMoved

SOON_S = 30


class Halt(Exception):
    """An error that no restart can fix."""


class Worker:
    """A worker that fails on request."""

    def __init__(self) -> None:
        self.detail = ""
        self.failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        await self.failing

    def fail(self, error: Exception) -> None:
        self.failing.set_exception(error)

    def stop(self) -> None:
        if not self.failing.done():
            self.failing.set_result(None)


class Supervised:
    """A running supervisor and its workers."""

    def __init__(self, name: str, first_s: float = 0.001) -> None:
        self.workers: list[Worker] = []
        self.supervisor = Supervisor(name, self._make, (Halt,), first_s=first_s, random=lambda: 1.0)
        self.task = asyncio.create_task(self.supervisor.run())

    def _make(self) -> Worker:
        self.workers.append(Worker())
        return self.workers[-1]

    @property
    def detail(self) -> str:
        part = self.supervisor.part()
        return f"{part.state} {part.detail}".strip()

    async def worker(self, number: int) -> Worker:
        """Wait for the worker with this number and return it."""
        await until(lambda: len(self.workers) > number)
        await asyncio.sleep(0)
        return self.workers[number]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.001)


@asynccontextmanager
async def supervised(*names: str, first_s: float = 0.001) -> AsyncIterator[list[Supervised]]:
    made = [Supervised(name, first_s) for name in names]
    try:
        yield made
    finally:
        for each in made:
            each.supervisor.stop()
            with suppress(Halt):
                await each.task


async def test_a_group_that_fails_is_started_again_and_the_others_go_on() -> None:
    async with supervised("counts", "search") as (counts, search):
        first, other = await counts.worker(0), await search.worker(0)
        first.fail(KeyError("no such account"))
        await counts.worker(1)
        assert search.workers == [other]
        assert not other.failing.done()


async def test_a_group_says_that_it_failed_and_why_until_it_has_worked_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with supervised("counts", first_s=SOON_S) as (counts,):
        (await counts.worker(0)).fail(KeyError("no such account"))
        await until(lambda: counts.detail != "ready")
        assert counts.detail == "down KeyError: 'no such account'; it is started again by itself"
    async with supervised("counts") as (counts,):
        (await counts.worker(0)).fail(KeyError("no such account"))
        (await counts.worker(1)).detail = "starting"
        assert counts.detail == "down starting"
        counts.workers[1].detail = ""
        assert counts.detail == "degraded KeyError: 'no such account'; it is started again by itself"
        monkeypatch.setattr(supervising, "STEADY_S", 0.0)
        assert counts.detail == "ready"


async def test_a_group_whose_store_lost_data_reports_it_in_plain_words() -> None:
    async with supervised("counts", first_s=SOON_S) as (counts,):
        (await counts.worker(0)).fail(SinkMoved("Redis"))
        await until(lambda: counts.detail != "ready")
        assert counts.detail == (
            "down Redis does not hold what this group left there: it was lost, restored from a backup, or another"
            " worker went on from there; it is started again by itself"
        )


async def test_the_waits_double_up_to_the_longest_and_begin_anew_after_steady_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def rest(error: Exception, wait_s: float) -> None:
        waits.append(wait_s)
        await asyncio.sleep(0)

    async with supervised("counts", first_s=0.5) as (counts,):
        monkeypatch.setattr(counts.supervisor, "_rest", rest)
        for number in range(9):
            (await counts.worker(number)).fail(KeyError())
        await counts.worker(9)
        assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
        monkeypatch.setattr(supervising, "STEADY_S", 0.0)
        counts.workers[9].fail(KeyError())
        await counts.worker(10)
        assert waits[-1] == 0.5


async def test_groups_that_failed_together_do_not_all_come_back_at_once() -> None:
    first, last = (Supervisor("counts", Worker, random=random) for random in (lambda: 0.0, lambda: 1.0))
    assert (first._wait_s(1), last._wait_s(1)) == (0.25, 0.5)
    assert (first._wait_s(99), last._wait_s(99)) == (15.0, 30.0)


async def test_a_worker_that_ends_by_itself_is_replaced() -> None:
    async with supervised("counts") as (counts,):
        (await counts.worker(0)).failing.set_result(None)
        await counts.worker(1)


async def test_an_error_that_no_restart_can_fix_stops_the_group() -> None:
    async with supervised("counts") as (counts,):
        (await counts.worker(0)).fail(Halt("11 of the last 10,000 events could not be applied"))
        await asyncio.wait((counts.task,))
        assert counts.detail == "down 11 of the last 10,000 events could not be applied"
        assert len(counts.workers) == 1


async def test_a_group_that_waits_for_its_next_start_is_stopped_at_once() -> None:
    async with supervised("counts", first_s=1000) as (counts,):
        (await counts.worker(0)).fail(KeyError())
        await until(lambda: "KeyError" in counts.detail)
        counts.supervisor.stop()
        async with asyncio.timeout(SOON_S):
            await counts.task


async def test_a_failure_is_logged_with_its_group_and_no_exception_is_left_behind() -> None:
    left: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: left.append(context))
    with capture_logs() as lines:
        async with supervised("counts") as (counts,):
            (await counts.worker(0)).fail(KeyError("no such account"))
            await counts.worker(1)
    gc.collect()
    await asyncio.sleep(0)
    [line] = lines
    assert (line["event"], line["group"]) == ("a group failed and is started again", "counts")
    assert line["why"] == "KeyError: 'no such account'"
    assert left == []


async def test_stopping_several_groups_leaves_no_unretrieved_exception() -> None:
    left: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: left.append(context))
    made = [Supervised(name) for name in ("counts", "search", "home")]
    for each in made[:2]:
        (await each.worker(0)).fail(Halt(each.supervisor.name))
    made[2].supervisor.stop()
    assert [str(error) for error in await all_ended(each.task for each in made)] == ["counts", "search"]
    made.clear()
    del each
    gc.collect()
    await asyncio.sleep(0)
    assert left == []
