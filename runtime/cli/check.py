"""`minitwitter events check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.quantities import counted

from .log import open_log
from .options import Config, Data, Json, Port, existing, load, print_json, print_table, progress, run, table_of
from .terminal import printable

if TYPE_CHECKING:
    from runtime.log_check import Checked
    from runtime.settings import Settings


def check(
    against: Annotated[
        str | None,
        typer.Option("--against", help="Also compare with this export: a directory or S3.", metavar="PLACE"),
    ] = None,
    data: Data = None,
    port: Port = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Check that the log is whole: no offset is missing, each record is readable, in its partition, and has its cause.

    Nothing is changed. The exit code is 1 if anything is wrong.

    Example: minitwitter events check --against tweets-export --data var/data
    """
    checked = run(_check(existing(load(data, port, config).settings), against, json))
    if json:
        print_json(
            {
                "events": checked.events,
                "copies": checked.copies,
                "files": checked.files,
                "wrong": dict(checked.counts),
                "findings": checked.findings,
            }
        )
    else:
        _print(checked)
    if checked.counts:
        raise typer.Exit(1)


async def _check(settings: Settings, against: str | None, quiet: bool) -> Checked:
    from runtime.exporting.destination import destination
    from runtime.exporting.manifest import load as load_manifest
    from runtime.log_check import check_export, check_log

    async with open_log(settings) as log:
        ends = await log.ends()
        with progress(quiet=quiet) as bars:
            task = bars.add_task("checked", total=sum(ends.values()))
            checked = await check_log(log, ends, lambda events: bars.advance(task, events))
            if against is not None:
                source = destination(against)
                manifest = load_manifest(source)
                compared = bars.add_task("compared", total=None if manifest is None else manifest.events)
                await check_export(log, source, checked, lambda events: bars.advance(compared, events))
        return checked


def _print(checked: Checked) -> None:
    copies = f", {counted(checked.copies, 'later copy', 'later copies')} among them" if checked.copies else ""
    files = f"; {counted(checked.files, 'file')} of the export compared" if checked.files else ""
    sys.stdout.write(f"{counted(checked.events, 'event')} read{copies}{files}\n")
    if not checked.counts:
        sys.stdout.write("no offset is missing; every event is readable, in its partition, and has its cause\n")
        return
    table = table_of("what", "where", "why")
    for finding in checked.findings:
        table.add_row(finding.kind, printable(finding.where), printable(finding.detail))
    print_table(table)
    for kind, number in checked.counts.items():
        told = sum(finding.kind == kind for finding in checked.findings)
        if number > told:
            sys.stdout.write(f"and {number - told:,} more of the kind {kind}\n")
