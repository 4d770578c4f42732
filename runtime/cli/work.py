"""`minitwitter work`: the worker processes of the distributed profile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from .options import Config, Data, Host, JsonLines, Port, in_words, load, run

if TYPE_CHECKING:
    from runtime.distributed.roles.process import Role
    from runtime.distributed.settings import DecisionSettings, DistributedSettings

S = TypeVar("S", bound="DecisionSettings")

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
    from runtime.distributed.roles import workers
    from runtime.distributed.settings import DistributedSettings

    _run(data, host, port, config, json, "projectors", DistributedSettings, workers.projectors)


@app.command("streams")
def streams(
    data: Data = None, host: Host = None, port: Port = None, config: Config = None, json: JsonLines = False
) -> None:
    """Derive notifications, sentiment, public tweets and trends, as topics and read models. Several can run.

    Example: minitwitter work streams --port 8002
    """
    from runtime.distributed.roles import workers
    from runtime.distributed.settings import DistributedSettings

    _run(data, host, port, config, json, "streams", DistributedSettings, workers.streams)


@app.command("relay")
def relay(
    data: Data = None, host: Host = None, port: Port = None, config: Config = None, json: JsonLines = False
) -> None:
    """Publish events of the outbox to Kafka that the command processes could not publish. Several can run; one leads.

    Example: minitwitter work relay --port 8003
    """
    from runtime.distributed.roles.relay import RelayRole
    from runtime.distributed.settings import DecisionSettings

    _run(data, host, port, config, json, "relay", DecisionSettings, RelayRole.open)


@app.command("all")
def all_(
    data: Data = None, host: Host = None, port: Port = None, config: Config = None, json: JsonLines = False
) -> None:
    """Run projectors, streams and relay in one process, for a small host.

    Example: minitwitter work all --port 8001
    """
    from runtime.distributed.roles import workers
    from runtime.distributed.roles.combined import CombinedRole
    from runtime.distributed.roles.relay import RelayRole
    from runtime.distributed.settings import DistributedSettings

    def combined(settings: DistributedSettings) -> AbstractAsyncContextManager[Role]:
        roles = (workers.projectors, workers.streams, RelayRole.open)
        return CombinedRole.open(settings, [partial(role, settings) for role in roles])

    _run(data, host, port, config, json, "all", DistributedSettings, combined)


def _run(
    data: Path | None,
    host: str | None,
    port: int | None,
    config: Path | None,
    json: bool,
    name: str,
    kind: type[S],
    open_role: Callable[[S], AbstractAsyncContextManager[Role]],
) -> None:
    from runtime.distributed.roles.pointer_watch import PointerWatch
    from runtime.distributed.roles.process import Process
    from runtime.distributed.settings import named
    from runtime.telemetry import configure

    settings = kind.of(named(load(data, port, config, host=host).settings, name))
    configure(settings.log_level, name, words=in_words(json))
    role = partial(PointerWatch.open, settings, name, partial(open_role, settings))
    run(Process(settings, name, role, lambda line: print(line, flush=True)).run())
