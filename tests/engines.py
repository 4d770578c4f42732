"""The real engines for tests: `kafka`, `cassandra`, `redis`, `postgres` and `s3` are fixtures that give a URL.

Taken from, in this order: the environment (MINITWITTER_TEST_<ENGINE>_URL); containers, where a container engine answers
(tests/containers.py); infra/local. Each is started when it is first wanted, one for all tests and all workers of a run.
Tests keep apart by keyspace, database, topic prefix or bucket. Without what an engine needs its tests are skipped, and
with CI=true they fail.

What was started ends with the run, however that ends: a process of its own waits for that.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import catalogue
from infra.local.engine import EngineMissing, EngineProcess
from infra.local.packages import cache_directory
from infra.local.processes import spawn
from infra.local.running import Running
from tests import containers


def run_of(pid: int) -> Path:
    """The data directory of a run of tests; PostgreSQL, which is another user, can enter it."""
    return Path(tempfile.gettempdir()) / f"minitwitter-engines-{pid}"


@pytest.fixture(scope="session")
def kafka() -> str:
    """The brokers of a Kafka: HOST:PORT,HOST:PORT."""
    return url("kafka")


@pytest.fixture(scope="session")
def cassandra() -> str:
    """The URL of a Cassandra: cassandra://HOST:PORT/."""
    return url("cassandra")


@pytest.fixture(scope="session")
def redis() -> str:
    """The URL of a Redis: redis://HOST:PORT/0."""
    return url("redis")


@pytest.fixture(scope="session")
def postgres() -> str:
    """The URL of a PostgreSQL, of a user who may create databases and schemas: postgresql://..."""
    return url("postgres")


@pytest.fixture(scope="session")
def s3() -> str:
    """The URL of an S3 store: s3://KEY:SECRET@HOST:PORT/."""
    return url("s3")


@pytest.fixture
def running() -> Iterator[Running]:
    """Engines of a test's own, to be killed and started again; gone when it ends."""
    directory = Path(tempfile.mkdtemp(dir=_made(), prefix="own-"))
    directory.chmod(0o755)
    yield Running(directory, cache_directory())
    end(directory)


def wanted(name: str) -> str:
    """Start an engine of the run, unless it runs; its URL. Raises EngineError."""
    if containers.answer():
        return containers.url(name, _made())
    return Running(_made(), cache_directory()).up(catalogue.engine(name)).url


def _made() -> Path:
    """The data directory of this run; should the run be killed, a process of its own ends what is in there."""
    pid = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    directory = run_of(pid)
    if not directory.exists():
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
        environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
        argv = [sys.executable, __file__, str(pid), str(directory)]
        spawn(EngineProcess("watch", argv, directory / "watch", lambda: True, environment))
    return directory


def end(directory: Path) -> None:
    """End all engines of a data directory and of those in it, and remove it: nobody will ask for the data."""
    containers.end(directory)
    for place in (directory, *directory.glob("own-*")):
        for name in catalogue.NAMES:
            Running(place, cache_directory()).kill(name)
    shutil.rmtree(directory, ignore_errors=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what this run started: its workers are done."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        end(run_of(os.getpid()))


def url(name: str) -> str:
    """Where an engine is. Skips the test, or with CI=true fails it, where it cannot be had."""
    given = os.environ.get(f"MINITWITTER_TEST_{name.upper()}_URL")
    if given:
        return given
    try:
        return wanted(name)
    except EngineMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


def main(pid: int, directory: Path) -> None:
    """Wait for the end of a process, then end the engines of a directory."""
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        pass
    else:
        select.select([ended], [], [])
    end(directory)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
