"""Builds new generations in several processes side by side, each from some of the log's partitions.

One process decodes fewer events a second than some stores take. Partitions can be divided, because neither rows nor
positions of one depend on another (law 3): live workers divide them in the same way. Every process runs all groups of
the store, so each event is decoded once.

If a process fails, all are stopped. The caller then continues where the stored positions are, by itself, so it meets
the same error if there is one. The processes end when this one does, because their standard input closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping

import msgspec
from pydantic import SecretStr

from events.log import Positions, TopicPartition
from runtime.child_process import command, environment
from runtime.distributed.rebuild.batch_runner import Advance
from runtime.settings import Settings

WORTHWHILE = 50_000
"""The number of events from which several processes are used: each takes a second to start."""
_log = logging.getLogger(__name__)


class Part(msgspec.Struct, frozen=True):
    """The work of one process: the generation of a store, and the positions up to which each group is built.

    `settings` are those of Settings as JSON, with secrets.
    """

    settings: str
    store: str
    generation: str
    until: dict[str, str]


class Built(msgspec.Struct, frozen=True):
    """A report: the number of records that were committed since the last one; `done` in the last report."""

    records: int = 0
    done: bool = False


def divided(until: Mapping[str, Positions], number: int) -> list[dict[str, Positions]]:
    """Divide the partitions of all groups into at most `number` parts with about as many events each."""
    sizes: dict[TopicPartition, int] = {}
    for positions in until.values():
        for place, end in positions.items():
            sizes[place] = sizes.get(place, 0) + end
    parts: list[set[TopicPartition]] = [set() for _ in range(number)]
    loads = [0] * number
    for place in sorted(sizes, key=lambda place: (-sizes[place], place)):
        least = loads.index(min(loads))
        parts[least].add(place)
        loads[least] += sizes[place]
    return [
        {group: Positions((p, end) for p, end in positions.items() if p in part) for group, positions in until.items()}
        for part in parts
        if part
    ]


async def build_side_by_side(
    settings: Settings, store: str, generation: str, until: Mapping[str, Positions], processes: int, advance: Advance
) -> None:
    """Build the groups of a new generation up to these positions, as far as no process fails."""
    given = json.dumps(settings.model_dump(mode="python"), default=_plain)
    parts = [
        Part(given, store, generation, {group: str(positions) for group, positions in part.items()})
        for part in divided(until, processes)
    ]
    try:
        async with asyncio.TaskGroup() as running:
            for part in parts:
                running.create_task(_run(part, advance))
    except* _ProcessEnded as failed:
        _log.warning("continuing in one process: %s", failed.exceptions[0])


class _ProcessEnded(Exception):
    """A process ended before its part was built."""


async def _run(part: Part, advance: Advance) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("runtime.distributed.rebuild.part_process"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(msgspec.json.encode(part) + b"\n")
            await process.stdin.drain()
        while line := await process.stdout.readline():
            built = msgspec.json.decode(line, type=Built)
            if built.records:
                advance(built.records)
            if built.done:
                return
        raise _ProcessEnded(f"a process that built a part of {part.generation} ended with {await process.wait()}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())


def _plain(value: object) -> str:
    """Return a setting that JSON does not have as text, also if it is secret: it goes through a pipe of our own."""
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
