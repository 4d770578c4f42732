"""A whole system in this process, without threads or a network, with a small community in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from events.ids import Millis
from runtime.command_answers import WhetherNew
from runtime.embedded.demo.community import Community
from runtime.embedded.system import InProcess, System
from runtime.settings import Settings

NOW = Millis(1_763_000_000_000)


def made(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    return directory


async def on_the_spot(work: object) -> None:
    work()  # type: ignore[operator]


@asynccontextmanager
async def opened(directory: Path, *, partitions: int = 4) -> AsyncIterator[tuple[System, InProcess]]:
    """Open the system of a directory, and close it after the block."""
    settings = Settings(data=made(directory), partitions=partitions, bcrypt_cost=4)
    system = System(settings, clock=lambda: NOW, randomness=os.urandom, off_loop=on_the_spot)
    views = await InProcess.open(system)
    try:
        yield system, views
    finally:
        views.close()
        await system.close()


async def populate(system: System, *, seed: int = 1, people: int = 20, tweets: int = 120) -> int:
    """Create a small community; return the number of events."""
    commands = Community(NOW, seed, people, tweets).commands()
    await system.commands.execute_some(commands, WhetherNew(), lambda: True)
    return sum((await system.log.ends()).values())
