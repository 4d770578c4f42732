"""`minitwitter keys`."""

from __future__ import annotations

import typer

from .accounts import do
from .options import Config, Data, Port, load, run

app = typer.Typer(help="Keys: what seals personal fields, and what signs access tokens.", no_args_is_help=True)


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
