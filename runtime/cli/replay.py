"""`minitwitter events replay`."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import re
import sys
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .log import Range, Topics, check_positions, open_log, range_of, topics_of
from .options import Config, Data, Port, existing, load, run
from .terminal import stop_printing

if TYPE_CHECKING:
    from events.log import Positions, Record
    from runtime.settings import Settings

_SPEED = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)x")


class HandlerFailed(Exception):
    """The function of the user's file raised an error; the message says at which event, and how to go on."""


class BadHandler(Exception):
    """The user's file cannot be used. The message says why."""


def replay(
    topic: Topics = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this event type; may be repeated.", metavar="TYPE")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="The first events: positions, or a time of events.", metavar="POSITIONS|TIME"),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", help="Stop before these positions, or this time of events.", metavar="POSITIONS|TIME"),
    ] = None,
    speed: Annotated[
        str, typer.Option("--speed", help="1x as it happened, 60x a minute in a second, or max.", metavar="SPEED")
    ] = "max",
    into: Annotated[
        str,
        typer.Option("--into", help="- prints; FILE.py calls its function handle(event).", metavar="-|FILE.py"),
    ] = "-",
    unseal: Annotated[bool, typer.Option("--unseal", help="Show sealed fields, too.")] = False,
    data: Data = None,
    port: Port = None,
    config: Config = None,
) -> None:
    """Replay past events: print them as CloudEvents, or hand each to a function of yours, at the speed that you choose.

    Events come in the order in which they were appended. A function that fails ends the replay, and the message says
    with which --from it goes on.

    Example: minitwitter events replay --topic tweets --speed 60x --from 2015-02-17 --data var/data
    """
    settings = existing(load(data, port, config).settings)
    pace = _speed(speed)
    topics, kinds = topics_of(topic), _types(types)
    handle = None if into == "-" else _handler(Path(into))
    run(_replay(settings, (range_of("--from", start), range_of("--to", end)), topics, kinds, pace, handle, unseal))


def _speed(text: str) -> float:
    found = _SPEED.fullmatch(text)
    if text == "max":
        return math.inf
    if found is None or not float(found[1]):
        raise typer.BadParameter(f"{text!r} is no speed; it looks like 1x, 60x or max", param_hint="--speed")
    return float(found[1])


def _types(wanted: list[str] | None) -> list[str] | None:
    from events import codec as codec  # registers all events
    from events.event import BY_NAME
    from events.topics import LOGGED

    logged = sorted(name for name, kind in BY_NAME.items() if kind.topic in LOGGED)
    for name in wanted or ():
        if name not in logged:
            raise typer.BadParameter(f"there is no event type {name}; there are {', '.join(logged)}")
    return wanted or None


def _handler(file: Path) -> Callable[[dict[str, Any]], object]:
    """Import a file, and return its function `handle`. Raises BadHandler, and what the file raises."""
    if not file.is_file():
        raise BadHandler(f"there is no file {file}; --into takes - or a Python file")
    spec = importlib.util.spec_from_file_location("replayed", file)
    if spec is None or spec.loader is None:
        raise BadHandler(f"{file} is no Python file; --into takes - or a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))  # it may import what is beside it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadHandler(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    handle: Callable[[dict[str, Any]], object] | None = getattr(module, "handle", None)
    if not callable(handle):
        raise BadHandler(f"{file} has no function handle(event)")
    return handle


async def _replay(
    settings: Settings,
    ranges: tuple[Range, Range],
    topics: list[str] | None,
    types: list[str] | None,
    speed: float,
    handle: Callable[[dict[str, Any]], object] | None,
    unseal: bool,
) -> None:
    from events.log import Positions
    from runtime.replay import Pace, Wanted, replay

    first, last = ranges
    async with open_log(settings) as log:
        ends = await log.ends()
        for given in (first.positions, last.positions):
            check_positions(given or Positions(), ends, log.places)
        end = Positions({**ends, **(last.positions or {})})
        wanted = Wanted(first.positions or Positions(), end, topics, types, first.time, last.time, speed)
        reached = Positions()
        emit = _printing(unseal) if handle is None else _handing(handle, unseal, reached)
        await replay(log, wanted, emit, Pace(speed, time.monotonic, asyncio.sleep), reached)


def _printing(unseal: bool) -> Callable[[Record], Awaitable[None]]:
    import msgspec

    from .cloud_events import as_cloud_event

    async def emit(record: Record) -> None:
        try:
            sys.stdout.buffer.write(msgspec.json.encode(as_cloud_event(record, unseal=unseal)) + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # the reader has closed the pipe, as `| head` does
            stop_printing()
            raise typer.Exit from None

    return emit


def _handing(
    handle: Callable[[dict[str, Any]], object], unseal: bool, reached: Positions
) -> Callable[[Record], Awaitable[None]]:
    from .cloud_events import as_cloud_event

    async def emit(record: Record) -> None:
        try:
            answer = handle(as_cloud_event(record, unseal=unseal))
            if isawaitable(answer):
                await answer
        except Exception as error:
            go_on = str(reached).replace(":", "@") or f"{record.place}@0"
            raise HandlerFailed(
                f"handle failed at {record.position} ({record.type}): {type(error).__name__}: {error};"
                f" go on with --from {go_on}"
            ) from error

    return emit
