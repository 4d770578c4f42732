"""Our processes under a supervisor, which restarts them when they end and records unexpected ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path

import httpx

READY_S = 120.0
STOP_S = 15.0
_AGAIN_S = 0.5
_LAST_LINES = 15
_COMPLAINS = re.compile(r'"level":"(warning|error|critical)"')


class Supervised:
    """One process with one port for the whole run."""

    def __init__(self, name: str, words: tuple[str, ...], port: int, directory: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self.log = directory / f"{name.replace(' ', '-')}.log"
        self.kills = 0
        self.ended: list[str] = []
        """The last output of each process that ended unexpectedly."""
        self._argv = [sys.executable, "-m", "runtime.cli", *words, "--port", str(port)]
        self._directory = directory
        self._env = env
        self._process: Process | None = None
        self._wanted = False
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and keep it running until it is killed or stopped."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, env=dict(self._env), cwd=self._directory, stdout=log, stderr=log
            )
        self._wanted = True
        self._watching = asyncio.create_task(self._watch(self._process))

    async def _watch(self, process: Process) -> None:
        status = await process.wait()
        if self._wanted:
            self.ended.append(f"{self.name} ended by itself with {status}:\n{self.told()}")
            await asyncio.sleep(_AGAIN_S)
            if self._wanted:
                await self.start()

    async def kill(self) -> None:
        """Kill it with SIGKILL."""
        assert self._process is not None
        self._wanted = False
        self.kills += 1
        if self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> int:
        """Stop it with SIGTERM; return its exit code."""
        self._wanted = False
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()

    async def ready(self) -> float:
        """Wait until it is ready; return the seconds."""
        began = time.monotonic()
        async with httpx.AsyncClient(base_url=self.url, timeout=5) as client:
            said = ""
            while True:
                try:
                    answer = await client.get("/readyz")
                    said = answer.text
                    if answer.status_code == 200:
                        return time.monotonic() - began
                except httpx.TransportError as error:
                    said = repr(error)
                assert time.monotonic() - began < READY_S, f"{self.name} is not ready: {said}\n{self.told()}"
                await asyncio.sleep(0.1)

    def complaints(self) -> list[str]:
        """Return its warnings and errors, except those of requests while it was not ready."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if _COMPLAINS.search(line) and '"minitwitter.requests"' not in line]

    def told(self) -> str:
        """Return the end of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
