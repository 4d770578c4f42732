"""Shared parts of the commands: options, settings, one-line errors, progress bars, access to the data directory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from runtime.embedded.control import Ask
    from runtime.embedded.engine import Engine
    from runtime.settings import LoadedSettings, Settings

T = TypeVar("T")
WIDE = 10_000
"""The width of output to a file or a pipe, so that each row is one line for `grep`."""
LONGEST_WAIT_S = 20.0
LOOK_S = 0.1

Data = Annotated[
    Path | None, typer.Option("--data", help="The data directory.", show_default="var/data", metavar="DIR")
]
Port = Annotated[int | None, typer.Option("--port", help="The port of the server.", show_default="8000", metavar="N")]
Host = Annotated[str | None, typer.Option("--host", help="The address of the server.", show_default="127.0.0.1")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="A settings file.", show_default="minitwitter.toml in the data directory"),
]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Log in JSON on a terminal, too; to files and pipes the log is always JSON.")
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]


def in_words(json: bool) -> bool:
    """Whether to log for a person: standard error is a terminal and --json is not given."""
    return sys.stderr.isatty() and not json


def load(data: Path | None, port: int | None, config: Path | None, **options: Any) -> LoadedSettings:
    """The settings in force. Raises BadSettings."""
    from runtime.settings import load as load_settings

    return load_settings({"data": data, "port": port, **options}, config)


def explain(error: Exception) -> int | None:
    """Print an expected error as one line and return its exit code; return None for a bug."""
    code = code_of(error)
    if code is not None:
        sys.stderr.write(f"minitwitter: {said(error)}\n")
    return code


def said(error: Exception) -> str:
    """Return the message of an error; for an error of the operating system, without its number."""
    if isinstance(error, OSError) and error.strerror and type(error).__module__ == "builtins":
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def code_of(error: Exception) -> int | None:
    """Return the exit code of an expected error; None for a bug."""
    from command_api.deciding import Refused
    from command_api.signing_keys import UnusableKey
    from events.codec import UnknownEvent, UnreadableEvent
    from events.fitting import DoesNotFit
    from events.ids import ClockBehind
    from events.log import CorruptLog, LogUnavailable, NotSetUp
    from events.sealing import KeyUnknown, MasterKeyMissing, SealBroken
    from events.sqlite.connection import IncompatibleData
    from events.sqlite.records import WrongPartitions
    from infra.local.engine import EngineError
    from runtime.dead_letter_policy import CannotApply, TooManyDeadLetters
    from runtime.distributed.roles.process import RoleEnded
    from runtime.embedded.control import ControlFailed, NoServer
    from runtime.embedded.log_db import AlreadyOwned, LogMissing, NoLog
    from runtime.embedded.projector_handle import ProjectingFailed
    from runtime.exporting.destination import BadDestination
    from runtime.http_server import AddressInUse
    from runtime.importing.files import NotSuchAFile
    from runtime.importing.graph import NothingToLayItOver
    from runtime.settings import BadSettings
    from runtime.verdict import CannotVerify
    from stores.sink import StoreRefused, StoreUnavailable
    from stores.sqlite.damage import ViewsDamaged
    from stores.sqlite.views import NoViews

    from .replay import BadHandler, HandlerFailed

    codes: dict[tuple[type[Exception], ...], int] = {
        (CannotVerify, EngineError, HandlerFailed, Refused, RoleEnded): 1,
        (BadDestination, BadHandler, BadSettings, NoLog, NotSuchAFile, NothingToLayItOver, ClockBehind): 2,
        (AlreadyOwned, NoServer, AddressInUse): 3,
        (CorruptLog, IncompatibleData, MasterKeyMissing, SealBroken, KeyUnknown, WrongPartitions): 4,
        (UnknownEvent, UnreadableEvent, UnusableKey, NotSetUp, CannotApply, TooManyDeadLetters): 4,
        (DoesNotFit, LogMissing, NoViews, ViewsDamaged, StoreRefused): 4,
        (LogUnavailable, StoreUnavailable, OSError): 5,
    }
    if isinstance(error, (ControlFailed, ProjectingFailed)):
        return error.code
    return next((code for types, code in codes.items() if isinstance(error, types)), None)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command on a uvloop event loop, as the server does."""
    import logging

    import uvloop

    # The pool warns of each connection that a command closes on purpose; the command reports its own errors.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextmanager
def explained_when_stopped(sentence: str) -> Iterator[None]:
    """At Ctrl-C, print `sentence` about the state that is left."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"minitwitter: stopped; {sentence}\n")
        raise


def existing(settings: Settings) -> Settings:
    """Return the settings if their data directory has a log, so that a typo creates no new one. Raises NoLog."""
    from runtime.embedded.log_db import check_there

    if settings.kafka_url is None:
        check_there(settings.data)
    return settings


@asynccontextmanager
async def owner(
    settings: Settings, before: Callable[[Engine], Awaitable[None]] | None = None, goes_on: str = ""
) -> AsyncIterator[Ask]:
    """Open the owner of the data directory: its server, or an engine in this process if no server runs.

    `before` runs on such an engine before it starts. Waits for a server that is starting or stopping, and raises
    AlreadyOwned if that takes too long. At Ctrl-C while a server does the work, `goes_on` is printed: the work
    continues in the server.
    """
    from runtime.embedded.control import ControlClient, NoServer
    from runtime.embedded.engine import Engine
    from runtime.embedded.log_db import AlreadyOwned
    from runtime.telemetry import configure

    deadline = asyncio.get_running_loop().time() + LONGEST_WAIT_S
    while True:
        client = ControlClient(settings.data)
        try:
            async with client:
                try:
                    yield client.ask
                except asyncio.CancelledError:
                    sys.stderr.write(goes_on and f"minitwitter: {goes_on}\n")
                    raise
                return
        except NoServer:
            if client.connected:
                raise
        configure("warning", "command")
        try:
            engine = Engine(settings)
            break
        except AlreadyOwned:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(LOOK_S)
    try:
        if before is not None:
            await before(engine)
        await engine.start()
        await engine.ready()
        yield engine.handle
    finally:
        await engine.stop()


@contextmanager
def progress(*, quiet: bool, unit: str = "events") -> Iterator[Progress]:
    """Show progress bars on standard error if it is a terminal: done, total, rate and remaining time."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Amount(ProgressColumn):
        """`1,200/29,000 events  4,100/s`"""

        def render(self, task: Task) -> Text:
            of = f"/{int(task.total):,}" if task.total is not None else ""
            pace = f"  {int(task.finished_speed or task.speed or 0):,}/s"
            return Text(f"{int(task.completed):,}{of} {task.fields.get('unit', unit)}{pace}", style="progress.download")

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None),
        Amount(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, expand=True) as bars:
        yield bars


def table_of(*names: str, right: Collection[str] = ()) -> Table:
    """Return a table without lines. A narrow terminal wraps values instead of cutting them."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def print_table(table: Table, *lines: str) -> None:
    """Print a table and the lines below it in the width of the terminal; in a file or pipe, each row is one line."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(table, *lines, sep="\n")


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
