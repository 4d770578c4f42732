"""The server's connection to the projecting process: every command gets an answer or an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.dead_letters import Choice, Mended
from runtime.embedded.control import AskStatus, CancelRebuilds, Failed, RebuildModels, RetryLetters, RotateMaster, Told
from runtime.embedded.engine import Engine
from runtime.embedded.projector_handle import ProjectingFailed, ProjectingProcess
from runtime.embedded.read_positions import ReadPositions
from runtime.settings import Settings

LONGEST_S = 60
READY = """echo '{"ready":true}';"""
HOLE = """echo '{"fatal":"tweets-0@3 is missing","code":4}'; exit 4"""
STOPPED = """echo '{"stopped":{"serving":"serving set 100 records aside"}}';"""
LISTENS = "cat > /dev/null"


class Scripted(ProjectingProcess):
    """A server whose projecting processes are shell scripts, run one after the other. The next starts at `restart`."""

    def __init__(self, directory: Path, *lives: str) -> None:
        super().__init__(directory, (), ReadPositions())
        self.lives = list(lives)
        self.restart = asyncio.Event()

    async def _spawn(self) -> None:
        if self._process is not None:
            await self.restart.wait()
        self._process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", self.lives.pop(0), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )


@asynccontextmanager
async def started(directory: Path, *lives: str) -> AsyncIterator[Scripted]:
    process = Scripted(directory, *lives)
    await process.start()
    await process.ready()
    try:
        yield process
    finally:
        process.restart.set()
        await process.stop(LONGEST_S)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONGEST_S):
        while not condition():  # noqa: ASYNC110 - no event tells of what is waited for
            await asyncio.sleep(0.01)


async def rebuilt(process: ProjectingProcess) -> None:
    async for _ in process.rebuild(("tweets",), back=False):
        pass


COMMANDS: dict[str, Callable[[ProjectingProcess], Awaitable[object]]] = {
    "retry": lambda process: process.retry(Choice()),
    "discard": lambda process: process.take_discards(),
    "rebuild": rebuilt,
    "cancel": lambda process: process.cancel_rebuilds(),
    "keys": lambda process: process.reload_keys(),
}


async def test_every_command_is_refused_with_the_reason_once_the_process_has_ended_for_good(tmp_path: Path) -> None:
    async with started(tmp_path, READY + HOLE) as process:
        await until(lambda: process.ended is not None)
        process.damaged()
        for command in COMMANDS.values():
            with pytest.raises(ProjectingFailed, match="tweets-0@3 is missing") as refused:
                await asyncio.wait_for(command(process), LONGEST_S)
            assert refused.value.code == 4


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_ends_with_the_process_that_it_was_sent_to(tmp_path: Path, name: str) -> None:
    async with started(tmp_path, READY + "read line; exit 9", LISTENS) as process:
        with pytest.raises(ProjectingFailed, match="ended with 9; it is being started again"):
            await asyncio.wait_for(COMMANDS[name](process), LONGEST_S)


async def test_a_command_before_the_restart_is_refused_and_one_after_it_is_answered(tmp_path: Path) -> None:
    answers = """read line; echo '{"number":1,"mended":{"applied":3}}';"""
    async with started(tmp_path, READY + "exit 9", READY + answers + LISTENS) as process:
        await until(lambda: process.detail != "")
        with pytest.raises(ProjectingFailed, match="it is being started again"):
            await asyncio.wait_for(process.retry(Choice()), LONGEST_S)
        process.restart.set()
        await until(lambda: process.detail == "")
        assert await asyncio.wait_for(process.retry(Choice()), LONGEST_S) == Mended(applied=3)


async def test_groups_that_the_last_process_stopped_are_not_stopped_in_the_next(tmp_path: Path) -> None:
    async with started(tmp_path, STOPPED + READY + "exit 9", READY + LISTENS) as process:
        await until(lambda: process.detail != "")
        assert process.stopped == {"serving": "serving set 100 records aside"}
        process.restart.set()
        await until(lambda: process.detail == "")
        assert process.stopped == {}


@asynccontextmanager
async def engine_over(directory: Path, *lives: str) -> AsyncIterator[Engine]:
    engine = Engine(Settings(data=directory, bcrypt_cost=4))
    try:
        async with started(directory, *lives) as engine.projecting:
            yield engine
    finally:
        await engine.stop()


async def test_commands_of_people_end_with_the_reason_and_its_code_and_lock_nothing(tmp_path: Path) -> None:
    async with engine_over(tmp_path, READY + HOLE) as engine:
        await until(lambda: engine.projecting.ended is not None)
        before = (tmp_path / "master.key").read_bytes()
        for request in (
            RetryLetters(Choice()),
            RetryLetters(Choice()),
            RebuildModels(("tweets",), back=False),
            CancelRebuilds(),
            RotateMaster(),
        ):
            async with asyncio.timeout(LONGEST_S):
                [reply] = [reply async for reply in engine.handle(request)]
            assert reply == Failed("tweets-0@3 is missing", 4)
        assert (tmp_path / "master.key").read_bytes() == before


async def test_groups_that_nothing_advances_are_not_called_ready(tmp_path: Path) -> None:
    async def states(engine: Engine) -> dict[str, tuple[str, str]]:
        [told] = [reply async for reply in engine.handle(AskStatus())]
        assert isinstance(told, Told)
        return {group.name: (group.state, group.detail) for group in told.status.groups}

    async with engine_over(tmp_path / "stopped", STOPPED + READY + LISTENS) as engine:
        found = await states(engine)
        assert found == {"serving": ("degraded", "serving set 100 records aside"), "analytics": ("ready", "")}
    async with engine_over(tmp_path / "ended", READY + HOLE) as engine:
        await until(lambda: engine.projecting.ended is not None)
        assert await states(engine) == dict.fromkeys(("serving", "analytics"), ("degraded", "tweets-0@3 is missing"))
