"""`minitwitter engines`: Kafka, Cassandra, Redis, PostgreSQL and S3 on this machine, without a container engine."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, print_json, print_table, table_of

if TYPE_CHECKING:
    from infra.local.engine import LocalEngine
    from infra.local.running import Running

app = typer.Typer(
    help="The engines of the distributed profile on this machine: Kafka, Cassandra, Redis, PostgreSQL, S3.",
    no_args_is_help=True,
)

Names = Annotated[
    list[str] | None,
    typer.Argument(help="kafka, cassandra, redis, postgres, s3.", show_default="all", metavar="NAMES"),
]
Directory = Annotated[
    Path,
    typer.Option(
        "--engines-dir", help="The directory of the engines' data.", metavar="DIR", envvar="MINITWITTER_ENGINES_DIR"
    ),
]
DIRECTORY = Path("var/engines")
VARIABLES = {
    "kafka": ("MINITWITTER_KAFKA_URL", ""),
    "cassandra": ("MINITWITTER_CASSANDRA_URL", ""),
    "redis": ("MINITWITTER_REDIS_URL", ""),
    "postgres": ("MINITWITTER_POSTGRES_URL", ""),
    "s3": ("MINITWITTER_MEDIA__S3", "media"),
}
"""The setting that points at each engine, and the bucket in its URL."""


@app.command()
def up(
    names: Names = None,
    engines_dir: Directory = DIRECTORY,
    brokers: Annotated[int, typer.Option("--brokers", help="How many brokers Kafka has.", min=1, max=5)] = 1,
    port: Annotated[
        list[str] | None,
        typer.Option("--port", help="The port of an engine, for new data.", metavar="NAME=PORT", show_default="free"),
    ] = None,
    json: Json = False,
) -> None:
    """Start the engines that do not run, wait until they answer, and print the settings that point at them.

    The first start downloads them, which takes a minute; later starts take a few seconds and keep the data. If an
    engine cannot start, its reason is printed, and the others still start.

    Example: set -a; eval "$(minitwitter engines up --port kafka=9092)"; set +a
    """
    from infra.local.engine import EngineError

    running = _running(engines_dir)
    chosen = _chosen(names)
    wished = _wished(port or [], chosen)
    urls: dict[str, str] = {}
    late = []
    for engine in chosen:
        began = time.monotonic()
        try:
            servers = _servers(running, engine, brokers)
            urls[engine.name] = running.up(engine, servers=servers, ports=wished.get(engine.name)).url
            _say(f"{engine.name} answers after {time.monotonic() - began:.1f} s", quiet=json)
        except EngineError as error:
            late.append(engine)
            sys.stderr.write(f"minitwitter: {error}\n")
    for engine in late:  # the other engines took a while to start
        note = running.note(engine.name)
        if note is not None and all(running.status(engine).values()):
            urls[engine.name] = note.url
            _say(f"{engine.name} answers now", quiet=json)
    _print_settings(urls, json=json)
    missing = [engine.name for engine in late if engine.name not in urls]
    if missing:
        sys.stderr.write(f"minitwitter: run `minitwitter engines up {' '.join(missing)}` again; what runs stays\n")
        raise typer.Exit(1)


@app.command()
def env(names: Names = None, engines_dir: Directory = DIRECTORY, json: Json = False) -> None:
    """Print the settings that point at the started engines, for another terminal. Exit code 1 if none was started.

    Example: set -a; eval "$(minitwitter engines env)"; set +a
    """
    running = _running(engines_dir)
    notes = {engine.name: running.note(engine.name) for engine in _chosen(names)}
    urls = {name: note.url for name, note in notes.items() if note is not None}
    if not urls:
        sys.stderr.write(f"minitwitter: no engine was ever started in {engines_dir}; run `minitwitter engines up`\n")
        raise typer.Exit(1)
    _print_settings(urls, json=json)


def _print_settings(urls: Mapping[str, str], *, json: bool) -> None:
    environment = {VARIABLES[name][0]: url + VARIABLES[name][1] for name, url in urls.items()}
    if json:
        print_json({"urls": dict(urls), "environment": environment})
        return
    for variable, url in environment.items():
        print(f"{variable}={url}")


@app.command()
def down(
    names: Names = None,
    engines_dir: Directory = DIRECTORY,
    delete: Annotated[bool, typer.Option("--delete", help="Also delete their data.")] = False,
    json: Json = False,
) -> None:
    """Stop engines. Their data is kept unless you pass --delete.

    Example: minitwitter engines down --delete s3
    """
    running = _running(engines_dir)
    stopped = []
    for engine in reversed(_chosen(names)):
        if running.down(engine.name, delete=delete):
            stopped.append(engine.name)
            _say(f"{engine.name} is stopped", quiet=json)
    if json:
        print_json({"stopped": stopped})


@app.command()
def status(names: Names = None, engines_dir: Directory = DIRECTORY, json: Json = False) -> None:
    """Check whether every engine answers. Exit code 1 if a named or started one does not.

    Example: minitwitter engines status kafka --json
    """
    running = _running(engines_dir)
    table = table_of("engine", "server", "", "url")
    found: dict[str, dict[str, bool]] = {}
    for engine in _chosen(names):
        found[engine.name] = running.status(engine)
        note = running.note(engine.name)
        for server, answers in found[engine.name].items():
            table.add_row(engine.name, server, "answers" if answers else "down", note.url if note else "")
        if not found[engine.name]:
            table.add_row(engine.name, "", "never started", "")
    if json:
        print_json(found)
    else:
        print_table(table)
    if not all(all(servers.values()) and (servers or not names) for servers in found.values()):
        raise typer.Exit(1)


@app.command()
def logs(
    names: Names = None,
    engines_dir: Directory = DIRECTORY,
    lines: Annotated[int, typer.Option("--lines", help="The number of lines, from the end of each log.", min=1)] = 50,
) -> None:
    """Print the last lines of each engine's logs.

    Example: minitwitter engines logs kafka --lines 200
    """
    running = _running(engines_dir)
    for engine in _chosen(names):
        for file in running.logs(engine.name):
            print(f"==> {file} <==")
            for line in file.read_text(errors="replace").splitlines()[-lines:]:
                print(line)


def _running(directory: Path) -> Running:
    from infra.local.packages import cache_directory
    from infra.local.running import Running

    return Running(directory, cache_directory())


def _chosen(names: list[str] | None) -> list[LocalEngine]:
    from infra.local import catalogue

    for name in names or ():
        if name not in catalogue.NAMES:
            raise typer.BadParameter(f"there is no engine {name!r}, but {', '.join(catalogue.NAMES)}")
    return [catalogue.engine(name) for name in dict.fromkeys(names or catalogue.NAMES)]


def _servers(running: Running, engine: LocalEngine, brokers: int) -> int:
    """Return the number of servers: only Kafka can have several; by default, as many as its data was made for."""
    note = running.note(engine.name)
    if engine.name != "kafka":
        return 1
    return len(note.ports) if note and brokers == 1 else brokers


def _wished(options: Iterable[str], chosen: Iterable[LocalEngine]) -> dict[str, dict[str, int]]:
    """Parse --port options: `s3=8333` sets the first port of s3, `s3.master=9333` its port `master`."""
    engines = {engine.name: engine for engine in chosen}
    wished: dict[str, dict[str, int]] = {}
    for option in options:
        key, _, number = option.partition("=")
        name, _, part = key.partition(".")
        if name not in engines or not number.isdecimal() or not 0 < int(number) < 65536:
            raise typer.BadParameter(f"{option!r} is not NAME=PORT, with the name of an engine to be started")
        wished.setdefault(name, {})[part or engines[name].ports[0]] = int(number)
    return wished


def _say(line: str, *, quiet: bool) -> None:
    if not quiet:
        sys.stderr.write(line + "\n")
