"""Messages of `minitwitter rebuild` about rebuilds in a server: how they end, and that they continue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.cli.options import owner
from runtime.cli.rebuild import GOES_ON
from runtime.embedded.control import ControlClient, ControlFailed, ControlServer, Failed, NoServer, RebuildModels
from runtime.settings import Settings
from stores.sink import StoreUnavailable


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ControlServer]:
    """A control socket whose server begins each request, and answers with `answers` or never."""
    begun = asyncio.Event()
    answers = []

    async def handle(request: RebuildModels) -> AsyncIterator[Failed]:
        begun.set()
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            yield answer
        await asyncio.Event().wait()

    control = ControlServer(tmp_path, handle, lambda error: None)
    await control.start()
    control.begun, control.answers = begun, answers
    yield control
    await control.stop()


async def asked(directory: Path) -> None:
    async with owner(Settings(data=directory), goes_on=GOES_ON) as ask:
        async for _ in ask(RebuildModels(("counts",), back=False)):
            pass


async def test_ctrl_c_beside_a_server_says_that_it_goes_on_and_how_to_end_it(
    tmp_path: Path, server: ControlServer, capsys: pytest.CaptureFixture[str]
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
    tmp_path: Path, server: ControlServer
) -> None:
    for answer in (StoreUnavailable("no room"), OSError(28, "No space left on device"), Failed("no room", 5)):
        server.answers[:] = [answer]
        async with ControlClient(tmp_path) as client:
            with pytest.raises(ControlFailed, match=r"no room|No space left") as failed:
                _ = [reply async for reply in client.ask(RebuildModels((), back=False))]
        assert failed.value.code == 5


async def test_a_client_that_goes_away_frees_what_it_waited_with(tmp_path: Path) -> None:
    lock, begun = asyncio.Lock(), asyncio.Event()

    async def handle(request: RebuildModels):
        async with lock:
            begun.set()
            await asyncio.Event().wait()
            yield Failed("never")

    control = ControlServer(tmp_path, handle, lambda error: None)
    await control.start()
    async with ControlClient(tmp_path) as client:
        asking = asyncio.create_task(anext(client.ask(RebuildModels((), back=False))))
        await begun.wait()
        asking.cancel()
    await asyncio.wait_for(lock.acquire(), 60)
    await control.stop()


async def test_a_server_that_stops_while_a_command_is_under_way_logs_no_traceback(
    tmp_path: Path, server: ControlServer
) -> None:
    logged = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: logged.append(context))
    async with ControlClient(tmp_path) as client:
        asking = asyncio.create_task(anext(client.ask(RebuildModels((), back=False))))
        await server.begun.wait()
        await server.stop()
        with pytest.raises(NoServer):
            await asking
    assert logged == []
