"""`minitwitter serve`."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from .options import Config, Data, Host, JsonLines, Port, in_words, load, run


class Side(StrEnum):
    """The side that a process of the distributed profile serves."""

    command = "command"
    query = "query"


def serve(
    side: Annotated[
        Side | None,
        typer.Argument(
            help="Serve one side of the distributed profile; if omitted, serve the embedded profile in this process."
        ),
    ] = None,
    data: Data = None,
    host: Host = None,
    port: Port = None,
    config: Config = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="Fill a new data directory with a demo community, which stays active while the server runs."
        ),
    ] = False,
    quiet_demo: Annotated[
        bool, typer.Option("--quiet-demo", help="Fill a new data directory with a demo community that stays inactive.")
    ] = False,
    json: JsonLines = False,
) -> None:
    """Serve the REST API until Ctrl-C. On a terminal it prints a line for each request.

    Example: minitwitter serve --data var/data --port 8000 --demo
    """
    from runtime.telemetry import configure

    settings = load(data, port, config, host=host).settings
    if side is not None:
        from runtime.distributed.roles.command import CommandRole
        from runtime.distributed.roles.pointer_watch import PointerWatch
        from runtime.distributed.roles.process import OpenRole, Process
        from runtime.distributed.roles.query import QueryRole
        from runtime.distributed.settings import CommandSettings, DistributedSettings, named

        if demo or quiet_demo:
            raise typer.BadParameter("the demo community is for the embedded profile", param_hint="--demo")
        configure(settings.log_level, side.value, words=in_words(json))
        settings = named(settings, side.value)
        role: OpenRole
        if side is Side.command:
            chosen = CommandSettings.of(settings)
            role = partial(CommandRole.open, chosen)
        else:
            chosen = every = DistributedSettings.of(settings)
            role = partial(PointerWatch.open, every, side.value, partial(QueryRole.open, every))
        run(Process(chosen, side.value, role, lambda line: print(line, flush=True)).run())
        return
    from runtime.embedded.serve import Demo
    from runtime.embedded.serve import serve as serving

    community = Demo.QUIET if quiet_demo else Demo.LIVING if demo else Demo.NONE
    configure(settings.log_level, "serve", words=in_words(json))
    run(serving(settings, demo=community, say=lambda line: print(line, flush=True)))
