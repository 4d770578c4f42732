"""Builds a part of a new generation: `python -m runtime.distributed.rebuild.part_process`, started by a rebuild.

Standard input has one line, a Part; at its end the process stops. Standard output has Built reports, one JSON object a
line. An error is one line on standard error; the process that started this one meets it again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence

import msgspec

from events.faults import one_line
from events.log import Positions
from events.publishing import Outgoing
from runtime.distributed.engines import Engines
from runtime.distributed.kafka_clients import log_reader
from runtime.distributed.rebuild.batch_runner import build
from runtime.distributed.rebuild.scratch_generation import buildings
from runtime.distributed.rebuild.side_by_side import Built, Part
from runtime.distributed.settings import DistributedSettings
from runtime.gc_tuning import freeze_startup_objects
from runtime.settings import Settings
from runtime.telemetry import configure, logger

_NICENESS = 5
"""A lower priority than that of processes that serve."""


class _Unpublished:
    """A publisher that drops records: their topics have them already."""

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        """Drop the records."""
        return Positions()


async def _build(part: Part) -> None:
    until = {group: Positions.parse(positions) for group, positions in part.until.items()}
    places = {place for positions in until.values() for place in positions}
    settings = DistributedSettings.of(Settings(**json.loads(part.settings)))
    async with (
        Engines.open(settings) as engines,
        log_reader(settings, engines.codec, engines.keys) as reader,
    ):
        reader.keep_to(places)
        await engines.read_discards()
        made = buildings(engines, engines.generations.at(part.store, part.generation), _Unpublished())
        groups = [made[name] for name in until]
        freeze_startup_objects()
        try:
            for group in groups:
                await group.resume()
                group.reached = Positions((p, next_) for p, next_ in group.reached.items() if p in places)
            await build(reader, groups, until, lambda records: _report(Built(records)), settle=False)
        finally:
            for group in groups:
                if group.close is not None:
                    await group.close()


def _report(built: Built) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(built) + b"\n")
    sys.stdout.buffer.flush()


async def _until_abandoned(part: Part) -> None:
    """Build the part, and stop at the end of standard input: then the process that started this one has ended."""
    building = asyncio.ensure_future(_build(part))
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), building.cancel)
    await building
    _report(Built(done=True))


def main() -> None:
    """Build the part that standard input names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal: the parent stops this process
    os.nice(_NICENESS)
    line = sys.stdin.buffer.readline()
    if not line:
        return
    part = msgspec.json.decode(line, type=Part)
    configure("warning", "rebuild")
    try:
        asyncio.run(_until_abandoned(part))
    except (asyncio.CancelledError, BrokenPipeError):
        os._exit(0)
    except Exception as error:
        logger("minitwitter.rebuild").warning("a part was not built", detail=one_line(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
