"""A process of the command side that is killed while it publishes.

`python -m tests.integration.dying URL DIRECTORY before|after`
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from events.log import Positions
from events.publishing import Outgoing, Publisher
from tests.contracts.commands import post, settle
from tests.on_postgres import MASTERS, World


class Dying:
    """A publisher that dies on request: before a record is in the log, or before its acknowledgement is noted."""

    def __init__(self, publisher: Publisher, when: str) -> None:
        self.publisher = publisher
        self.when = when

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        dies = any(record.topic == "tweets" for record in records)
        if dies and self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        positions = await self.publisher.publish(records)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return positions


async def main(url: str, directory: str, when: str) -> None:
    """Post one tweet and die."""
    MASTERS.save(Path(directory) / "masters")
    world = World(url, Path(directory))
    system = world.process(owner="dying")
    await settle(system)
    await world.drained()
    system.publishing._publisher = Dying(system.publishing._publisher, when)
    await post(system)[1]


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
