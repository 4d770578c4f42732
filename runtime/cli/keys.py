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

app = typer.Typer(help="Manage the keys that seal personal fields and sign access tokens.", no_args_is_help=True)


@app.command("make-master")
def make_master(
    file: Annotated[Path, typer.Argument(help="The new file; an existing file is never overwritten.")],
) -> None:
    """Make the master key of an installation of the distributed profile: one file, the same for every process.

    Without this key no sealed field can be read, so keep a copy elsewhere.

    Example: minitwitter keys make-master /etc/minitwitter/master.key
    """
    from events.sealing import MasterKeys

    if file.exists():
        raise FileExistsError(
            f"{file} exists, and overwriting it would lose all fields sealed with it; choose another name"
        )
    masters = MasterKeys.generate()
    masters.save(file)
    print(f"{file} has master key {masters.current}; keep a copy elsewhere, and hand it to every process")


@app.command("rotate-master")
def rotate_master(data: Data = None, port: Port = None, config: Config = None) -> None:
    """Make a new master key, and wrap every account's key with it. After an interruption, run it again.

    Example: minitwitter keys rotate-master --data var/data && cp var/data/master.key /somewhere/safe
    """
    from runtime.embedded.control import RotateMaster

    run(do(existing(load(data, port, config).settings), RotateMaster()))


@app.command("rotate-signing")
def rotate_signing(data: Data = None, port: Port = None, config: Config = None) -> None:
    """Make a new key for access tokens. Tokens signed with the old key stay valid until they expire.

    Example: minitwitter keys rotate-signing --data var/data
    """
    from runtime.embedded.control import RotateSigning

    run(do(existing(load(data, port, config).settings), RotateSigning()))


@app.command("lost")
def lost(
    declare: Annotated[
        bool,
        typer.Option("--declare", help="Treat the fields sealed with these keys as erased. This cannot be undone."),
    ] = False,
    data: Data = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Find lost keys: the log has events sealed with them, but no store has the key. --declare marks them as erased.

    Without --declare nothing is changed, and the exit code is 1 if any key is lost. Stop the server before --declare:
    exit code 3 while it runs. With a Kafka URL in the settings, it checks the distributed profile: keys are first
    restored from Kafka, and --declare works while processes run.

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
    """Raise AlreadyOwned if a server runs, before the log is read."""
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
    """Mark the keys as destroyed; without any, complete an interrupted run."""
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
