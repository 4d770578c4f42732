"""`minitwitter events export`."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.quantities import counted

from .log import Range, check_positions, open_log, range_of, topics_of
from .options import Config, Data, Json, Port, existing, explained_when_stopped, load, print_json, progress, run

if TYPE_CHECKING:
    from events.log import Positions
    from runtime.exporting.manifest import Manifest, Selection
    from runtime.settings import Settings

_GOES_ON = "what is named in the manifest is exported; the same command goes on from there"


def export(
    out: Annotated[
        str,
        typer.Option(
            "--out",
            help="A directory, or s3://KEY:SECRET@HOST:PORT/BUCKET/PREFIX.",
            metavar="PLACE",
            envvar="MINITWITTER_EXPORT_OUT",
        ),
    ],
    format: Annotated[str, typer.Option("--format", help="parquet or ndjson.", metavar="FORMAT")] = "parquet",
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="Only this topic; may be repeated.", metavar="TOPIC")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="The first events: positions, or a time of events.", metavar="POSITIONS|TIME"),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", help="Stop before these positions, or this time of events.", metavar="POSITIONS|TIME"),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new events until stopped.")] = False,
    every: Annotated[
        float, typer.Option("--every", help="With --follow: write a file after so many seconds.", min=0.1, metavar="S")
    ] = 60.0,
    unseal: Annotated[
        bool, typer.Option("--unseal", help="Open sealed fields. The log says who did, and what for.")
    ] = False,
    purpose: Annotated[
        str, typer.Option("--purpose", help="With --unseal: what the personal data is for.", metavar="TEXT")
    ] = "",
    data: Data = None,
    port: Port = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Export events to files of Parquet or NDJSON, by topic and day, with a manifest of positions and digests.

    Run it again after an interruption: it goes on where it stopped. A file appears whole or not at all, and is in the
    manifest once it is there. Sealed fields stay sealed, as one opaque column, unless --unseal opens them.

    Example: minitwitter events export --topic tweets --out tweets-export --data var/data
    """
    if follow and end is not None:
        raise typer.BadParameter("--follow has no end; leave out --to")
    if format not in ("parquet", "ndjson"):
        raise typer.BadParameter(f"there is no format {format}; there are parquet and ndjson", param_hint="--format")
    if unseal and not purpose.strip():
        raise typer.BadParameter("say with --purpose what the personal data is for; it is kept in the log")
    settings = existing(load(data, port, config).settings)
    chosen = _selection(format, topic, range_of("--from", start), range_of("--to", end), unseal)
    if unseal:
        run(_note(settings, chosen.topics, purpose))
    with explained_when_stopped(_GOES_ON):
        manifest = run(_export(settings, out, chosen, range_of("--to", end).positions, follow, every, json))
    if json:
        print_json(manifest)
    else:
        sys.stdout.write(f"{counted(manifest.events, 'event')} in {counted(len(manifest.files), 'file')} of {out}\n")


def _selection(format: str, topic: list[str] | None, start: Range, end: Range, unseal: bool) -> Selection:
    from events.topics import LOGGED
    from runtime.exporting.manifest import Selection

    return Selection(
        format="parquet" if format == "parquet" else "ndjson",
        topics=tuple(sorted(set(topics_of(topic) or LOGGED))),
        start=str(start.positions or ""),
        since=start.time,
        until=end.time,
        unsealed=unseal,
    )


async def _note(settings: Settings, topics: tuple[str, ...], purpose: str) -> None:
    from runtime.operator_requests import NoteOpening

    from .accounts import decided

    await decided(settings, NoteOpening(getpass.getuser(), topics, purpose))


async def _export(
    settings: Settings,
    out: str,
    selection: Selection,
    to: Positions | None,
    follow: bool,
    every_s: float,
    quiet: bool,
) -> Manifest:
    from events.log import Positions
    from runtime.exporting.destination import destination
    from runtime.exporting.export import Export

    async with open_log(settings) as log:
        ends = await log.ends()
        for given in (Positions.parse(selection.start), to or Positions()):
            check_positions(given, ends, log.places)
        until = Positions({**ends, **(to or {})})
        to_place = destination(out)
        export = Export(log, to_place, selection, every_s=every_s)
        with to_place.hold(), progress(quiet=quiet) as bars:
            task = bars.add_task("exported", total=await export.begin(until))
            return await export.run(None if follow else until, lambda events: bars.advance(task, events))
