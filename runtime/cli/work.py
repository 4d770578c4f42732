"""`minitwitter work`: the worker processes of the distributed profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .options import Config, Data, Host, JsonLines, Port, in_words, load, run

if TYPE_CHECKING:
    from runtime.distributed.roles.process import Role
    from runtime.settings import Settings

app = typer.Typer(
    help="Run worker processes of the distributed profile; each serves /healthz, /readyz and /metrics, but no API.",
    no_args_is_help=True,
)


@app.command("projectors")
def projectors(
    data: Data = None, host: Host = None, port: Port = None, config: Config = None, json: JsonLines = False
) -> None:
    """Project the log into Cassandra, Redis and PostgreSQL. Several processes share the partitions.

    Example: minitwitter work projectors --port 8001
    """
    from runtime.distributed.roles.workers import projecting

    _run(data, host, port, config, json, "projectors", projecting)


@app.command("streams")
def streams(
    data: Data = None, host: Host = None, port: Port = None, config: Config = None, json: JsonLines = False
) -> None:
    """Derive notifications, sentiment, public tweets and trends, as topics and read models. Several can run.

    Example: minitwitter work streams --port 8002
    """
    from runtime.distributed.roles.workers import streaming

    _run(data, host, port, config, json, "streams", streaming)


@app.command("relay")
def relay(
    data: Data = None, host: Host = None, port: Port = None, config: Config = None, json: JsonLines = False
) -> None:
    """Publish events of the outbox to Kafka that the command processes could not publish. Several can run; one leads.

    Example: minitwitter work relay --port 8003
    """
    from runtime.distributed.roles.relay import Relaying

    _run(data, host, port, config, json, "relay", Relaying)


@app.command("all")
def all_(
    data: Data = None, host: Host = None, port: Port = None, config: Config = None, json: JsonLines = False
) -> None:
    """Run projectors, streams and relay in one process, for a small host.

    Example: minitwitter work all --port 8001
    """
    from runtime.distributed.roles.combined import Together
    from runtime.distributed.roles.relay import Relaying
    from runtime.distributed.roles.workers import projecting, streaming

    def roles(settings: Settings) -> Role:
        return Together(settings, [projecting(settings), streaming(settings), Relaying(settings)])

    _run(data, host, port, config, json, "all", roles)


def _run(
    data: Path | None,
    host: str | None,
    port: int | None,
    config: Path | None,
    json: bool,
    name: str,
    role: Callable[[Settings], Role],
) -> None:
    from runtime.distributed.roles.pointer_watch import Following
    from runtime.distributed.roles.process import Process, named
    from runtime.telemetry import configure

    settings = named(load(data, port, config, host=host).settings, name)
    configure(settings.log_level, name, words=in_words(json))
    run(Process(settings, Following(settings, role), lambda line: print(line, flush=True)).run())
