"""`minitwitter import tweets` and `import graph`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.quantities import counted

from .options import Config, Data, Json, Port, existing, explained_when_stopped, load, owner, print_json, progress, run

if TYPE_CHECKING:
    from runtime.embedded.control import Ask
    from runtime.importing.batches import Execute, Summary
    from runtime.importing.files import ImportFile
    from runtime.importing.history import History
    from runtime.settings import Settings

    Step = Callable[[int], None]
    Importing = Callable[[Execute, ImportFile, History, Step, Step], Awaitable[Summary]]
    Bound = Callable[[Execute, History, Step, Step], Awaitable[Summary]]

app = typer.Typer(help="Import tweets and follows of the past, with their own times.", no_args_is_help=True)

GOES_ON = "the imported part stays. Run the command again to continue"
POLITE = 5
"""The niceness while reading the file, so that a server on the same cores runs first."""

File = Annotated[Path, typer.Argument(help="The file to import; - is standard input.", metavar="FILE")]


@app.command()
def tweets(file: File, data: Data = None, port: Port = None, config: Config = None, json: Json = False) -> None:
    """Import tweets from a CSV file: columns tweet_id, created_at, username, text, and optionally lat, lon, location.

    Runs with or without a server. Importing again adds nothing; an interrupted import continues. With a Kafka URL in
    the settings, it imports into the distributed profile, and workers update the read models. Exit code 1 if every row
    is refused.

    Example: minitwitter import tweets airline-tweets.csv --data var/data
    """

    async def importing(execute: Execute, source: ImportFile, history: History, begin: Step, advance: Step) -> Summary:
        from events.ids import wall_clock
        from runtime.importing.import_tweets import import_tweets

        return await import_tweets(execute, source, history, wall_clock(), begin, advance)

    _import("tweets", file, load(data, port, config).settings, json, importing)


@app.command()
def graph(file: File, data: Data = None, port: Port = None, config: Config = None, json: Json = False) -> None:
    """Import a graph of friendships, "a b" a line, as follows in both directions.

    The nodes become the most active imported accounts, so import tweets first. Runs with or without a server; importing
    again adds nothing. Exit code 1 if every line is refused.

    Example: minitwitter import graph facebook-edges.txt --data var/data
    """

    async def importing(execute: Execute, source: ImportFile, history: History, begin: Step, advance: Step) -> Summary:
        from runtime.importing.graph import import_graph

        return await import_graph(execute, source, await history.rank(), begin, advance)

    _import("graph", file, existing(load(data, port, config).settings), json, importing)


def _import(what: str, file: Path, settings: Settings, json: bool, importing: Importing) -> None:
    from runtime.importing.files import source_of

    os.nice(POLITE)
    started = time.perf_counter()
    with source_of(file) as source, explained_when_stopped(GOES_ON):
        summary, then = run(_owned(what, settings, json, partial(_from, source, importing)))
    seconds = time.perf_counter() - started
    if json:
        numbers = {"rows": summary.rows, "new": summary.new, "there": summary.there, "duplicates": summary.duplicates}
        listed = {"refused": _listed(summary.refused), "differing": _listed(summary.differing)}
        print_json({**numbers, **listed, "seconds": round(seconds, 3)})
    else:
        noun = "tweet" if what == "tweets" else "follow"
        for line, reason in sorted([*summary.refused, *summary.differing]):
            sys.stderr.write(f"line {line}: {reason}\n")
        sys.stdout.write(
            f"{counted(summary.rows, 'row')}: {counted(summary.new, f'{noun} is', f'{noun}s are')} new,"
            f" {counted(summary.there, 'was', 'were')} there,"
            f" {counted(summary.duplicates, 'row repeats', 'rows repeat')} another, {len(summary.refused):,} left out;"
            f" {then} after {seconds:.1f} s\n"
        )
    if not summary.good:
        sys.stderr.write(f"minitwitter: no row of {source.name} could be imported\n")
        raise typer.Exit(1)


async def _current(ask: Ask) -> str:
    """Return a sentence on the state of the read models after they have read the whole log."""
    from runtime.embedded.control import AskStatus, Told

    async for reply in ask(AskStatus()):
        if isinstance(reply, Told):
            letters = [group.dead_letters for group in reply.status.groups]
            known = [number for number in letters if number is not None]
            if len(known) == len(letters):
                which = f" but for {counted(sum(known), 'dead letter')} (`minitwitter dead-letters list`)"
                return f"all read models are current{which if any(known) else ''}"
    return "the read models have read all of it"


def _from(
    source: ImportFile, importing: Importing, execute: Execute, history: History, begin: Step, advance: Step
) -> Awaitable[Summary]:
    return importing(execute, source, history, begin, advance)


def _listed(rows: Iterable[tuple[int, str]]) -> list[dict[str, object]]:
    return [{"line": line, "reason": reason} for line, reason in rows]


async def _owned(what: str, settings: Settings, json: bool, importing: Bound) -> tuple[Summary, str]:
    """Run an import in the embedded profile; return its summary and a sentence on the read models."""
    with progress(quiet=json, unit="rows") as bars:
        task = bars.add_task(f"importing {what}", total=None)

        def begin(total: int) -> None:
            bars.update(task, total=total)

        def advance(done: int) -> None:
            bars.advance(task, done)

        if settings.kafka_url is not None:
            from runtime.distributed.importer import importing_into

            async with importing_into(settings) as (execute, history):
                return await importing(execute, history, begin, advance), "done"

        from runtime.embedded.control import AwaitCurrent, Lagging
        from runtime.embedded.imported_history import LogDbHistory

        async with owner(settings) as ask:
            summary = await importing(ask, LogDbHistory(settings.data, settings.master_key_file), begin, advance)
            catching_up = bars.add_task("read models", total=None, unit="events")
            most = 0
            async for reply in ask(AwaitCurrent()):
                if isinstance(reply, Lagging):
                    most = max(most, reply.events)
                    bars.update(catching_up, total=most, completed=most - reply.events)
            bars.update(catching_up, total=most or 1, completed=most or 1)
            return summary, await _current(ask)
