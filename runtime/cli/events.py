"""`minitwitter events`: print and count the events of the log, in both profiles, with or without a server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from .check import check
from .export import export
from .log import Topics, check_positions, open_log, positions, topics_of
from .options import Config, Data, Json, Port, load, print_json, print_table, progress, run, table_of
from .replay import replay
from .terminal import stop_printing

if TYPE_CHECKING:
    from events.log import LogReader, Positions, Record
    from runtime.log_inspection import Counted, Looking
    from runtime.settings import Settings

app = typer.Typer(help="Print, count, replay, export and check events of the log.", no_args_is_help=True)
app.command()(export)
app.command()(check)
app.command()(replay)

Unseal = Annotated[bool, typer.Option("--unseal", help="Show sealed fields, too: texts, addresses, locations.")]
_LIMIT = 1000
_WAIT_S = 1.0


@app.command()
def tail(
    topic: Topics = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Start with this event, as tweets-0@15.", metavar="POSITION")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", help="Start with the event after this one.", metavar="POSITION")
    ] = None,
    lines: Annotated[
        int | None, typer.Option("--lines", "-n", help="Only the last N events.", min=0, metavar="N")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Then wait for new events and print them.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", help="Stop after N events.", min=1, metavar="N")] = None,
    unseal: Unseal = False,
    data: Data = None,
    port: Port = None,
    config: Config = None,
) -> None:
    """Print events as CloudEvents, one JSON object a line: all events, or with --follow only new ones.

    Each line has the position of the event, which --from, --after and `events show` accept. Separate several positions
    by commas; a partition without a position is printed from its start.

    Example: minitwitter events tail --topic tweets -n 10 --follow --data var/data
    """
    if start is not None and after is not None:
        raise typer.BadParameter("say either --from or --after")
    wanted = Selection(topics_of(topic), positions("--from", start, 0), positions("--after", after, 1), lines, follow)
    run(_tail(load(data, port, config).settings, wanted, sys.maxsize if limit is None else limit, unseal))


class Selection(NamedTuple):
    """The events to print."""

    topics: list[str] | None
    start: Positions | None
    after: Positions | None
    last: int | None
    follow: bool


async def _tail(settings: Settings, wanted: Selection, left: int, unseal: bool) -> None:
    async with open_log(settings) as log:
        await _print_all(log, wanted, left, unseal)


async def _print_all(log: Looking, wanted: Selection, left: int, unseal: bool) -> None:
    from events.log import Positions, positions_after

    ends = await log.ends()
    positions = Positions(wanted.start or wanted.after or ())
    check_positions(positions, ends, log.places)
    if wanted.last is not None:
        records, positions = await _last(log, wanted.last, positions, ends, wanted.topics)
        left -= _print(records[:left], unseal)
    elif wanted.follow and not positions:
        positions = ends
    while left > 0:
        records = await log.read(positions, min(_LIMIT, left), wanted.topics)
        positions = positions_after(records, positions)
        left -= _print(records, unseal)
        if not records:
            if not wanted.follow:
                return
            # Wait from the end of the other topics, so that new events there do not wake it.
            await log.wait(_passed_over(positions, await log.ends(), wanted.topics), _WAIT_S)


async def _last(
    log: LogReader, number: int, after: Positions, ends: Positions, topics: list[str] | None
) -> tuple[list[Record], Positions]:
    """Return the newest `number` records between `after` and `ends`, and the positions after them.

    Reads up to `number` records of each partition.
    """
    from events.log import Positions, positions_after

    positions = Positions({place: max(after.get(place, 0), end - number) for place, end in ends.items()})
    newest: list[Record] = []
    while number and (records := await log.read(positions, _LIMIT, topics)):
        positions = positions_after(records, positions)
        newest = sorted([*newest, *records], key=lambda record: record.about.id)[-number:]
        if positions.covers({place: end for place, end in ends.items() if topics is None or place.topic in topics}):
            break
    return newest, positions


def _print(records: Sequence[Record], unseal: bool) -> int:
    try:
        for record in records:
            sys.stdout.buffer.write(_line(record, unseal))
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as `| head` does
        stop_printing()
        raise typer.Exit from None
    return len(records)


def _passed_over(positions: Positions, ends: Positions, topics: list[str] | None) -> Positions:
    if topics is None:
        return positions
    return type(positions)({**{tp: end for tp, end in ends.items() if tp.topic not in topics}, **positions})


@app.command()
def show(
    event: Annotated[str, typer.Argument(help="An event's id, or its position, as tweets-0@15.", metavar="ID")],
    unseal: Unseal = False,
    data: Data = None,
    port: Port = None,
    config: Config = None,
) -> None:
    """Print one event, by its id or by its position in the log.

    Example: minitwitter events show tweets-0@15 --data var/data
    """
    record = run(_show(load(data, port, config).settings, event))
    if record is None:
        sys.stderr.write(f"minitwitter: there is no event {event}\n")
        raise typer.Exit(1)
    from .cloud_events import as_cloud_event

    print_json(as_cloud_event(record, unseal=unseal))


async def _show(settings: Settings, event: str) -> Record | None:
    async with open_log(settings) as log:
        return await _find(log, event)


async def _find(log: Looking, event: str) -> Record | None:
    from events.ids import EventId, is_id

    if is_id(event):
        return await log.find(EventId(event))
    wanted = positions("ID", event, 0)
    if wanted is None or len(wanted) != 1:
        raise typer.BadParameter(f"{event!r} is neither an event's id nor one position like tweets-0@15")
    ((place, offset),) = wanted.items()
    check_positions(type(wanted)({place: 0}), await log.ends(), log.places)
    return await log.at(place, offset)


@app.command()
def count(
    topic: Topics = None, data: Data = None, port: Port = None, config: Config = None, json: Json = False
) -> None:
    """Count events by topic and type.

    Example: minitwitter events count --data var/data
    """
    counted = _count(load(data, port, config).settings, topics_of(topic), quiet=json)
    if json:
        by_topic: dict[str, dict[str, int]] = {}
        for (name, kind), number in counted.items():
            by_topic.setdefault(name, {})[kind] = number
        print_json(by_topic)
        return
    table = table_of("topic", "type", "events", right=("events",))
    for (name, kind), number in counted.items():
        table.add_row(name, kind, f"{number:,}")
    table.add_row("", "all", f"{counted.total():,}")
    print_table(table)


def _count(settings: Settings, topics: list[str] | None, *, quiet: bool) -> Counted:
    if settings.kafka_url is None:
        from runtime.embedded.log_inspection import count as count_in_directory

        return count_in_directory(settings, topics)
    from runtime.distributed.log_inspection import count as count_in_kafka

    with progress(quiet=quiet) as bars:
        task = bars.add_task("read", total=None)
        return run(count_in_kafka(settings, topics, lambda records: bars.advance(task, records)))


def _line(record: Record, unseal: bool) -> bytes:
    import msgspec

    from .cloud_events import as_cloud_event

    event: dict[str, Any] = as_cloud_event(record, unseal=unseal)
    return msgspec.json.encode(event) + b"\n"
