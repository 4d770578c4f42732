"""`minitwitter keys`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .accounts import do
from .options import Config, Data, Port, load, run

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
    from runtime.control import RotateMaster

    run(do(load(data, port, config).settings, RotateMaster()))


@app.command("rotate-signing")
def rotate_signing(data: Data = None, port: Port = None, config: Config = None) -> None:
    """Make a new key for access tokens. Tokens of the old one stay good until they expire.

    Example: minitwitter keys rotate-signing --data var/data
    """
    from runtime.control import RotateSigning

    run(do(load(data, port, config).settings, RotateSigning()))
