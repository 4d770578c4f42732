"""Messages of `minitwitter rebuild` about rebuilds in a server: how they end, and that they continue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.cli.options import owner
from runtime.cli.rebuild import GOES_ON
from runtime.embedded.control import (
    ControlClient,
    ControlFailed,
    ControlServer,
    Failed,
    NoServer,
    RebuildModels,
    Reply,
    Request,
)
from runtime.settings import Settings
from stores.sink import StoreUnavailable


class Answering:
    """A control socket whose server begins each request, and answers with `answers` or never."""

    def __init__(self, directory: Path) -> None:
        self.begun = asyncio.Event()
        self.answers: list[Reply | Exception] = []
        self.control = ControlServer(directory, self._handle, lambda error: None)

    async def _handle(self, request: Request) -> AsyncIterator[Reply]:
        self.begun.set()
        for answer in self.answers:
            if isinstance(answer, Exception):
                raise answer
            yield answer
        await asyncio.Event().wait()


async def first(client: ControlClient) -> Reply:
    """Ask for a rebuild, and return the first reply."""
    return await anext(client.ask(RebuildModels((), back=False)))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Answering]:
    answering = Answering(tmp_path)
    await answering.control.start()
    yield answering
    await answering.control.stop()


async def asked(directory: Path) -> None:
    async with owner(Settings(data=directory), goes_on=GOES_ON) as ask:
        async for _ in ask(RebuildModels(("counts",), back=False)):
            pass


async def test_ctrl_c_beside_a_server_says_that_it_goes_on_and_how_to_end_it(
    tmp_path: Path, server: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    asking = asyncio.create_task(asked(tmp_path))
    await server.begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    said = capsys.readouterr().err
    assert "the server goes on rebuilding" in said
    assert "`minitwitter rebuild --cancel`" in said


async def test_what_a_full_disk_refuses_has_its_exit_code_beside_a_server_too(
    tmp_path: Path, server: Answering
) -> None:
    for answer in (StoreUnavailable("no room"), OSError(28, "No space left on device"), Failed("no room", 5)):
        server.answers[:] = [answer]
        async with ControlClient(tmp_path) as client:
            with pytest.raises(ControlFailed, match=r"no room|No space left") as failed:
                _ = [reply async for reply in client.ask(RebuildModels((), back=False))]
        assert failed.value.code == 5


async def test_a_client_that_goes_away_frees_what_it_waited_with(tmp_path: Path) -> None:
    lock, begun = asyncio.Lock(), asyncio.Event()

    async def handle(request: Request) -> AsyncIterator[Reply]:
        async with lock:
            begun.set()
            await asyncio.Event().wait()
            yield Failed("never")

    control = ControlServer(tmp_path, handle, lambda error: None)
    await control.start()
    async with ControlClient(tmp_path) as client:
        asking = asyncio.create_task(first(client))
        await begun.wait()
        asking.cancel()
    await asyncio.wait_for(lock.acquire(), 60)
    await control.stop()


async def test_a_server_that_stops_while_a_command_is_under_way_logs_no_traceback(
    tmp_path: Path, server: Answering
) -> None:
    logged: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: logged.append(context))
    async with ControlClient(tmp_path) as client:
        asking = asyncio.create_task(first(client))
        await server.begun.wait()
        await server.control.stop()
        with pytest.raises(NoServer):
            await asking
    assert logged == []
