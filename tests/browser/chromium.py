"""Chromium without a window, driven over its DevTools protocol: a page, what it says on its console, and its errors."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

IN_TIME_S = 60
# No sandbox: the tests may run as root, and load nothing but this server's pages.
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,1600")


class Page:
    """A tab. `troubles` are errors of scripts, of loading, and of the Content-Security-Policy."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.troubles: list[str] = []
        self.requested: list[str] = []

    async def listen(self) -> None:
        """Take what the browser says, until it ends."""
        async for text in self._socket:
            said = json.loads(text)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.troubles.append(said["params"]["entry"]["text"])
            elif said["method"] == "Runtime.exceptionThrown":
                self.troubles.append(json.dumps(said["params"]["exceptionDetails"])[:500])
            elif said["method"] == "Network.requestWillBeSent":
                self.requested.append(said["params"]["request"]["url"])

    async def do(self, method: str, **parameters: Any) -> Any:
        """Do what the protocol calls `method`."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        said = await asyncio.wait_for(answer, IN_TIME_S)
        assert "error" not in said, said
        return said["result"]

    async def value(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = await self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, script: str) -> Any:
        """Wait until an expression is true; its value."""
        async with asyncio.timeout(IN_TIME_S):
            while not (value := await self.value(script)):  # noqa: ASYNC110 - the page tells nobody
                await asyncio.sleep(0.05)
        return value


@asynccontextmanager
async def browsing(program: str, directory: Path) -> AsyncIterator[Page]:
    """A browser with one empty page, ended again."""
    profile = directory / "profile"
    process = _started(program, profile)
    try:
        address = await _address(profile / "DevToolsActivePort", process)
        async with connect(address, max_size=None) as browser:
            target = await _first_page(browser)
        async with connect(f"{address.rsplit('/devtools/', 1)[0]}/devtools/page/{target}", max_size=None) as socket:
            page = Page(socket)
            listening = asyncio.ensure_future(page.listen())
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.do(f"{domain}.enable")
            yield page
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
    finally:
        process.terminate()
        process.wait(IN_TIME_S)


def _started(program: str, profile: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [program, *_OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


async def _address(file: Path, process: subprocess.Popen[bytes]) -> str:
    async with asyncio.timeout(IN_TIME_S):
        while True:
            assert process.poll() is None, "the browser has ended"
            if len(lines := _lines(file)) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            await asyncio.sleep(0.05)


async def _first_page(browser: ClientConnection) -> str:
    await browser.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
    while "result" not in (said := json.loads(await browser.recv())):
        pass
    return next(str(t["targetId"]) for t in said["result"]["targetInfos"] if t["type"] == "page")
