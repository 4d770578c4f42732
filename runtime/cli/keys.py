"""`minitwitter keys`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.quantities import counted

from .accounts import do
from .options import (
    Config,
    Data,
    Json,
    Port,
    existing,
    explained_when_stopped,
    load,
    print_json,
    print_table,
    progress,
    run,
    table_of,
)

if TYPE_CHECKING:
    from runtime.lost_keys import LostKey
    from runtime.settings import Settings

app = typer.Typer(help="Keys: what seals personal fields, and what signs access tokens.", no_args_is_help=True)


@app.command("make-master")
def make_master(
    file: Annotated[Path, typer.Argument(help="Where to keep it; a file that is there is left alone.")],
) -> None:
    """Make the master key of an installation of the distributed profile: one file, the same for every process.

    Without it no sealed field can ever be read again, so keep a copy elsewhere.

    Example: minitwitter keys make-master /etc/minitwitter/master.key
    """
    from events.sealing import MasterKeys

    if file.exists():
        raise FileExistsError(f"{file} is there already, and what it sealed would be lost; choose another name")
    masters = MasterKeys.generate()
    masters.save(file)
    print(f"{file} has master key {masters.current}; keep a copy elsewhere, and hand it to every process")


@app.command("rotate-master")
def rotate_master(data: Data = None, port: Port = None, config: Config = None) -> None:
    """Make a new master key, and wrap every account's key with it. Broken off, it can be run again.

    Example: minitwitter keys rotate-master --data var/data && cp var/data/master.key /somewhere/safe
    """
    from runtime.embedded.control import RotateMaster

    run(do(existing(load(data, port, config).settings), RotateMaster()))


@app.command("rotate-signing")
def rotate_signing(data: Data = None, port: Port = None, config: Config = None) -> None:
    """Make a new key for access tokens. Tokens of the old one stay good until they expire.

    Example: minitwitter keys rotate-signing --data var/data
    """
    from runtime.embedded.control import RotateSigning

    run(do(existing(load(data, port, config).settings), RotateSigning()))


@app.command("lost")
def lost(
    declare: Annotated[
        bool, typer.Option("--declare", help="Have what these keys sealed count as erased. This cannot be undone.")
    ] = False,
    data: Data = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Find accounts whose key is lost, though the log has events that are sealed with it; --declare gives them up.

    Without --declare nothing is changed, and the exit code is 1 if any key is lost. For --declare the server has to be
    stopped: exit code 3 while it runs. Where Kafka is set it is the distributed profile: keys that Kafka has are taken
    back first, and --declare works beside processes that run.

    Example: minitwitter keys lost --data var/data
    """
    settings = load(data, None, config).settings
    if declare:
        _check_stopped(settings)
    with explained_when_stopped("nothing was changed"), progress(quiet=json) as bars:
        task = bars.add_task("read", total=None)
        found = _find(settings, lambda records: bars.advance(task, records))
    if declare:
        _declare(settings, found)
    if json:
        print_json({"lost": found, "declared": declare and bool(found)})
    else:
        _print(found, declared=declare, rebuild="--from-nothing" if settings.kafka_url is None else "--all")
    if found and not declare:
        raise typer.Exit(1)


def _check_stopped(settings: Settings) -> None:
    """Refuse at once what would be refused once the log is read. Raises AlreadyOwned."""
    if settings.kafka_url is None:
        from runtime.embedded import lost_keys as in_directory

        in_directory.check_stopped(settings)


def _find(settings: Settings, on_batch: Callable[[int], None]) -> list[LostKey]:
    if settings.kafka_url is not None:
        from runtime.distributed import lost_keys as losing_keys

        return run(losing_keys.find(settings, on_batch))
    from runtime.embedded import lost_keys as in_directory

    return in_directory.find(settings, on_batch)


def _declare(settings: Settings, found: list[LostKey]) -> None:
    """Give them up; where there are none any more, complete what was broken off."""
    if settings.kafka_url is not None:
        from runtime.distributed import lost_keys as losing_keys

        run(losing_keys.declare(settings, found))
        return
    from runtime.embedded import lost_keys as in_directory

    run(in_directory.declare(settings, found))


def _print(found: list[LostKey], *, declared: bool, rebuild: str) -> None:
    if not found:
        print("no key is lost")
        return
    table = table_of("account", "first event", "events", right=("events",))
    for one in found:
        table.add_row(one.subject, one.first, f"{one.events:,}")
    events = sum(one.events for one in found)
    keys = counted(len(found), "key is", "keys are")
    what = f"{keys} lost, and {counted(events, 'event')} cannot be read without."
    then = (
        f"They count as erased now. Read models may still show them: run `minitwitter rebuild {rebuild}`."
        if declared
        else "Nothing was changed. Restore a backup that has them, or give them up with --declare."
    )
    print_table(table, what, then)
