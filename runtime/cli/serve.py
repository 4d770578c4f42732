"""`minitwitter serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Config, Data, Host, Port, load, run


def serve(
    data: Data = None,
    host: Host = None,
    port: Port = None,
    config: Config = None,
    demo: Annotated[bool, typer.Option("--demo", help="Fill a new data directory with a demo community.")] = False,
) -> None:
    """Serve the REST API until Ctrl-C.

    Example: minitwitter serve --data var/data --port 8000 --demo
    """
    from runtime.serving import serve as serving
    from runtime.telemetry import configure

    settings = load(data, port, config, host=host).settings
    configure(settings.log_level, "serve")
    run(serving(settings, demo=demo, say=lambda line: print(line, flush=True)))
