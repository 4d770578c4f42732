"""`minitwitter events`: looking at the log itself, beside a server or without one."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Config, Data, Json, Port, load, print_json, print_table, run

if TYPE_CHECKING:
    from events.log import Positions, Record
    from events.sqlite.log import SqliteLogReader
    from runtime.settings import Settings

app = typer.Typer(help="Look at the event log.", no_args_is_help=True)

Topics = Annotated[list[str] | None, typer.Option("--topic", help="Only this topic; may be repeated.", metavar="TOPIC")]
Unseal = Annotated[bool, typer.Option("--unseal", help="Show sealed fields too: texts, addresses, places.")]
_LIMIT = 1000
_WAIT_S = 1.0


@app.command()
def tail(
    topic: Topics = None,
    after: Annotated[
        str | None, typer.Option("--from", help="Positions to begin at, as tweets-0:42.", metavar="POSITIONS")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is appended.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="Stop after so many.", min=1)] = None,
    unseal: Unseal = False,
    data: Data = None,
    port: Port = None,
    config: Config = None,
) -> None:
    """Print events as CloudEvents, one JSON object a line; without --from or --follow, all there are.

    Each line has its position; --from takes up after it.

    Example: minitwitter events tail --topic tweets --follow --data var/data
    """
    settings = load(data, port, config).settings
    try:
        run(_tail(settings, _topics(topic), after, follow, limit, unseal))
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()


async def _tail(
    settings: Settings, topics: list[str] | None, after: str | None, follow: bool, limit: int | None, unseal: bool
) -> None:
    from events.log import Positions

    log = _open(settings)
    positions = Positions()
    if after is not None:
        try:
            positions = Positions.parse(after)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    elif follow:
        positions = await log.ends()
    left = limit if limit is not None else sys.maxsize
    while left > 0:
        records = await log.read(positions, min(_LIMIT, left), topics)
        for record in records:
            positions[record.place] = record.offset + 1
            sys.stdout.buffer.write(_line(record, unseal))
        left -= len(records)
        sys.stdout.buffer.flush()
        if not records:
            if not follow:
                return
            # Topics that are not asked for may move; they are passed over, so that waiting is waiting.
            await log.wait(_passed_over(positions, await log.ends(), topics), _WAIT_S)


def _passed_over(positions: Positions, ends: Positions, topics: list[str] | None) -> Positions:
    if topics is None:
        return positions
    return type(positions)({**{tp: end for tp, end in ends.items() if tp.topic not in topics}, **positions})


@app.command()
def show(
    event: Annotated[str, typer.Argument(help="An event's id, or its place, as tweets-0@15.", metavar="ID")],
    unseal: Unseal = False,
    data: Data = None,
    port: Port = None,
    config: Config = None,
) -> None:
    """Print one event, by its id or by its place in the log.

    Example: minitwitter events show tweets-0@15 --data var/data
    """
    log = _open(load(data, port, config).settings)
    record = _find(log, event)
    if record is None:
        sys.stderr.write(f"minitwitter: there is no event {event}\n")
        raise typer.Exit(1)
    from .cloud_events import as_cloud_event

    print_json(as_cloud_event(record, unseal=unseal))


def _find(log: SqliteLogReader, event: str) -> Record | None:
    from events.ids import is_id
    from events.log import Positions

    if is_id(event):
        return log.table.find(event)
    try:
        ((place, offset),) = Positions.parse(event.replace("@", ":")).items()
    except ValueError:
        raise typer.BadParameter(f"{event!r} is neither an event's id nor a place like tweets-0@15") from None
    if place not in log.table.places:
        return None
    records = log.table.read(place, offset, 1)
    return records[0] if records and records[0].offset == offset else None


@app.command()
def count(
    topic: Topics = None, data: Data = None, port: Port = None, config: Config = None, json: Json = False
) -> None:
    """Count events by topic and type.

    Example: minitwitter events count --data var/data
    """
    log = _open(load(data, port, config).settings)
    counted = _count(log, _topics(topic))
    if json:
        by_topic: dict[str, dict[str, int]] = {}
        for (name, kind), number in counted.items():
            by_topic.setdefault(name, {})[kind] = number
        print_json(by_topic)
        return
    from rich.table import Table

    table = Table("topic", "type", box=None, pad_edge=False)
    table.add_column("events", justify="right")
    for (name, kind), number in counted.items():
        table.add_row(name, kind, f"{number:,}")
    table.add_row("", "all", f"{counted.total():,}")
    print_table(table)


def _count(log: SqliteLogReader, topics: list[str] | None) -> Counter[tuple[str, str]]:
    """Counted where they lie: nothing is opened or decoded."""
    from events.sqlite.records import base

    counted: Counter[tuple[str, str]] = Counter()
    for place, end in log.table.ends().items():
        if topics is None or place.topic in topics:
            first = base(place)
            for kind, number in log.table.connection.execute(
                "SELECT type, count(*) FROM records WHERE position >= ? AND position < ? GROUP BY type ORDER BY type",
                (first, first + end),
            ):
                counted[place.topic, str(kind)] += int(str(number))
    return counted


def _open(settings: Settings) -> SqliteLogReader:
    from runtime.embedded.log_db import open_reader

    return open_reader(settings.data, settings.master_key_file)


def _topics(wanted: list[str] | None) -> list[str] | None:
    from events.topics import LOGGED

    for name in wanted or ():
        if name not in LOGGED:
            raise typer.BadParameter(f"there is no topic {name}; there are {', '.join(LOGGED)}")
    return wanted or None


def _line(record: Record, unseal: bool) -> bytes:
    import msgspec

    from .cloud_events import as_cloud_event

    event: dict[str, Any] = as_cloud_event(record, unseal=unseal)
    return msgspec.json.encode(event) + b"\n"
