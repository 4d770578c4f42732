"""An installation of the distributed profile for one test: a database, topics, a keyspace, our processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Self

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

from bench.served import free_port
from events.codec import Codec
from events.kafka import topics
from events.kafka.log import KafkaLogReader
from events.kafka.topics import partitions_of
from events.log import Positions, Record, positions_after
from events.postgres.connections import open_pool
from events.postgres.keys import PostgresKeys
from events.sealing import MasterKeys, Sealer
from events.topics import TOPICS
from runtime.distributed.kafka_clients import admin
from runtime.distributed.migrations import migrate
from runtime.distributed.settings import LogSettings
from runtime.settings import PREFIX, Settings
from stores.cassandra.address import Address
from tests.stores.on_cassandra import drop
from tests.unhurried import ENVIRONMENT

ROOT = Path(__file__).parents[2]
SOON = 120
PARTITIONS = 4
READ_ONLY = ("unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh")
"""A prefix of commands that makes all files read-only, as in the container of docker-compose.yml."""


class Started(subprocess.Popen[bytes]):
    """A process of an installation, which logs to a file."""

    log: Path

    def told(self) -> str:
        """Return its log."""
        return self.log.read_text()


class Installation:
    """A database, topics and a master key for one test."""

    def __init__(self, directory: Path, kafka: str, postgres: str, **others: str) -> None:
        self.directory = directory
        name = f"command_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        self.brokers = kafka.removeprefix("kafka://")
        self.url = make_conninfo(postgres, dbname=name)
        self.prefix = f"{name}-"
        self.behind: tuple[str, ...] = ()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MINITWITTER_")},
            "MINITWITTER_KAFKA_URL": kafka,
            "MINITWITTER_POSTGRES_URL": self.url,
            "MINITWITTER_TOPIC_PREFIX": self.prefix,
            "MINITWITTER_TOPIC_PARTITIONS": str(PARTITIONS),
            "MINITWITTER_MASTER_KEY_FILE": str(directory / "master.key"),
            "MINITWITTER_BCRYPT_COST": "4",
            "MINITWITTER_DATA": str(directory / "data"),
            "PYTHONPATH": str(ROOT),
            **ENVIRONMENT,
            **{f"MINITWITTER_{name.upper()}_URL": url for name, url in others.items()},
        }

    def command(self, *words: str, **environment: str) -> CompletedProcess[str]:
        """Run a command to its end."""
        argv = [sys.executable, "-m", "runtime.cli", *words]
        return subprocess.run(
            argv,
            env={**self.environment, **environment},
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=SOON,
        )

    def settings(self) -> Settings:
        """Return the settings of its processes, for tests that do their work in this process."""
        given: dict[str, Any] = {name.removeprefix(PREFIX).lower(): value for name, value in self.environment.items()}
        return Settings(**{name: value for name, value in given.items() if name in Settings.model_fields})

    def set_up(self) -> Self:
        """Do the work of `keys make-master`, `migrate` and `topics apply` without starting three processes."""
        MasterKeys.generate().save(self.directory / "master.key")
        settings = self.settings()

        async def prepare() -> None:
            await migrate(settings)
            await topics.apply(admin(LogSettings.of(settings)), partitions=PARTITIONS, prefix=self.prefix)

        with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop already
            thread.submit(asyncio.run, prepare()).result()
        return self

    @contextmanager
    def process(
        self, *words: str, argv: Sequence[str] = (sys.executable, "-m", "runtime.cli"), **environment: str
    ) -> Iterator[tuple[Started, httpx.Client]]:
        """Run a process; yield it and a client. It is stopped after the block, and its exit code has to be 0."""
        port = free_port()
        command = [*self.behind, *argv, *words, "--port", str(port)]
        with (self.directory / f"{words[-1]}-{port}.log").open("wb") as log:
            process = Started(
                command, env={**self.environment, **environment}, cwd=self.directory, stdout=log, stderr=log
            )
        process.log = Path(log.name)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                yield process, client
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0, process.told()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    async def events(self) -> list[Record]:
        """Return the records in Kafka, with opened fields."""
        pool = open_pool(self.url, most=2)
        await pool.open()
        masters = MasterKeys.load(self.directory / "master.key")
        keys = PostgresKeys(pool, Sealer(masters))
        reader = KafkaLogReader(
            self.brokers, partitions_of(TOPICS, PARTITIONS), Codec(keys.sealer), keys, prefix=self.prefix
        )
        records: list[Record] = []
        positions = Positions()
        ends = await reader.ends()
        while not positions.covers(ends):
            await reader.wait(positions, 5)
            batch = await reader.read(positions, 1000)
            records += batch
            positions = positions_after(batch, positions)
        await reader.close()
        await pool.close()
        return records


@contextmanager
def installed(
    directory: Path,
    kafka: str,
    postgres: str,
    cassandra: str,
    redis: str,
    kind: type[Installation] = Installation,
    **environment: str,
) -> Iterator[Installation]:
    """An installation that is set up, with a keyspace that is dropped at the end."""
    url = f"{cassandra.rstrip('/')}/installed_{uuid.uuid4().hex[:12]}"
    made = kind(directory, kafka, postgres, cassandra=url, redis=redis)
    made.environment |= environment
    yield made.set_up()
    drop(Address.parse(url))


def ready(process: Started, client: httpx.Client) -> None:
    deadline = time.monotonic() + SOON
    while True:
        assert process.poll() is None, process.told()
        assert time.monotonic() < deadline, process.told()
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)


def register(client: httpx.Client, name: str) -> dict[str, str]:
    answer = client.post(
        "/api/v1/auth/register",
        json={"username": name, "email": f"{name}@example.org", "password": "correct horse battery"},
    )
    assert answer.status_code == 201, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def post(client: httpx.Client, token: dict[str, str], text: str, key: str | None = None) -> httpx.Response:
    headers = token | ({"idempotency-key": key} if key else {})
    return client.post("/api/v1/tweets", json={"text": text}, headers=headers)


def until_noted(installation: Installation) -> None:
    """Wait until every row of the outbox is known to be published."""
    deadline = time.monotonic() + SOON
    with psycopg.connect(installation.url, autocommit=True) as connection:
        while connection.execute("SELECT count(*) FROM outbox WHERE published IS NULL").fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
