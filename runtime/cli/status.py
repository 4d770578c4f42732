"""`minitwitter status`."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.quantities import counted

from .options import Config, Data, Json, Port, code_of, load, print_json, run, said, table_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rich.console import RenderableType

    from runtime.settings import Settings
    from runtime.status import GroupStatus, Status

EVERY_S = 2.0
_WORKERS = {None: "?", 0: "[bold red]nobody[/]"}
_COLOURS = {"ready": "green", "degraded": "yellow", "down": "bold red"}


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Repeat every two seconds, until Ctrl-C.")] = False,
    data: Data = None,
    port: Port = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show the state of the system: lag and workers of each group, rebuilds, dead letters, outbox, engines, disk.

    Asks the server of the data directory; without one, shows it as down and reads the files. With a Kafka URL in the
    settings, it asks every engine of the distributed profile: Kafka for the workers of each group, PostgreSQL for the
    processes that accept writes and answer reads. Exit code 1 unless everything answers and is current; /readyz judges
    the same.

    Example: minitwitter status --data var/data
    """
    settings = load(data, port, config).settings
    logging.disable()  # the answer names the engines that are unavailable
    if watch:
        run(_watch(settings, json))
        return
    found = run(_status(settings))
    if json:
        print_json(found)
    else:
        _print(found)
    if not found.current:
        raise typer.Exit(1)


async def _status(settings: Settings) -> Status:
    if settings.kafka_url is not None:
        from runtime.distributed.status import status as of_engines

        return await of_engines(settings)
    from runtime.embedded.status import status as of_directory

    return await of_directory(settings)


async def _watch(settings: Settings, json: bool) -> None:
    import msgspec
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console()
    if json or not console.is_terminal:  # one JSON document a line
        async for found in _looks(settings):
            if isinstance(found, str):
                sys.stderr.write(f"{found}\n")
            else:
                sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
                sys.stdout.flush()
    else:
        with Live(console=console, auto_refresh=False) as live:
            async for found in _looks(settings):
                shown = Text(found) if isinstance(found, str) else Group(*_shown(found))
                live.update(shown, refresh=True)


async def _looks(settings: Settings) -> AsyncIterator[Status | str]:
    """Yield the status every two seconds. After the first one, yield an error as text and continue."""
    yield await _status(settings)
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            found: Status | str = await _status(settings)
        except Exception as error:
            if code_of(error) is None:
                raise
            found = f"minitwitter: {said(error)}"
        yield found


def _print(found: Status) -> None:
    from rich.console import Console

    from .options import WIDE

    console = Console()
    if console.is_terminal:
        console.print(*_shown(found), sep="\n")
        return
    console = Console(width=WIDE)
    with console.capture() as printed:
        console.print(*_shown(found), sep="\n")
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in printed.get().splitlines()))


def _shown(found: Status) -> Iterator[RenderableType]:
    from rich.markup import escape

    yield f"{found.profile} profile: {_state(found.state)}" + (f", served on {found.server}" if found.server else "")
    yield ""
    parts = table_of("part", "state", "")
    for part in found.parts:
        parts.add_row(part.name, _state(part.state), escape(part.detail))
    yield parts
    yield ""
    workers = ["workers"] if found.profile == "distributed" else []
    groups = table_of("group", "state", *workers, "behind", "for", "dead letters", "read models")
    for group in found.groups:
        groups.add_row(
            group.name,
            _state(group.state),
            *([_WORKERS.get(group.workers, f"{group.workers}")] if workers else ()),
            "?" if group.lag_events is None else counted(group.lag_events, "event"),
            "?" if group.lag_seconds is None else f"{group.lag_seconds:.1f} s",
            "?" if group.dead_letters is None else f"{group.dead_letters:,}",
            _models(group),
        )
    yield groups
    yield from _below(found)


def _below(found: Status) -> Iterator[RenderableType]:
    from rich.markup import escape

    if found.engines:
        yield ""
        engines = table_of("engine", "answered in")
        for engine in found.engines:
            unavailable = f"[red]{escape(engine.detail)}"
            engines.add_row(
                engine.name, unavailable if engine.milliseconds is None else f"{engine.milliseconds:.1f} ms"
            )
        yield engines
    if found.outbox is not None:
        yield ""
        oldest = f", the oldest for {found.outbox.oldest_seconds:.1f} s" if found.outbox.rows else ""
        yield f"outbox: {counted(found.outbox.rows, 'row waits', 'rows wait')}{oldest}"
    if found.disk is not None:
        yield ""
        files = ", ".join(f"{name} {_bytes(size)}" for name, size in found.disk.files.items())
        yield f"disk of {found.disk.path}: {_bytes(found.disk.free)} free; {files}"


def _models(group: GroupStatus) -> str:
    """Return the read models that are rebuilt or not in their first generation; if there are none, their number."""
    told = []
    for model in group.models:
        if model.building is not None:
            told.append(f"{model.name} v{model.version} is being rebuilt: {model.building:.0%}")
        elif model.generation not in ("", "1"):
            told.append(f"{model.name} v{model.version} in {model.generation}")
    return ", ".join(told) or f"{len(group.models)}"


def _state(state: str) -> str:
    return f"[{_COLOURS[state]}]{state}[/]"


def _bytes(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:,.0f} {unit}"
        number /= 1024
    return f"{number:,.1f} TiB"
