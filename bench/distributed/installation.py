"""An installation for a benchmark: a database, topics, a keyspace, settings, and our processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from confluent_kafka.admin import AdminClient
from psycopg.conninfo import make_conninfo

from events.kafka import topics
from events.sealing import MasterKeys
from runtime.distributed.migrations import migrate
from runtime.distributed.models.generations import Generations
from runtime.distributed.settings import DistributedSettings, brokers
from runtime.settings import PREFIX, Settings
from stores.cassandra.migrating import drop

from ..served import Served, free_port
from .engines import Engines

ROOT = Path(__file__).parents[2]
PARTITIONS = 16
"""The default number of partitions of an installation."""
_OFTEN = 1_000_000
_READY_S = 60.0
_STOPPED_S = 20.0


class ProcessFailed(Exception):
    """A process of ours ended or did not become ready; the message has the end of its output."""


class Installation:
    """An installation under names of its own. Rate limits are on, and too high to be reached."""

    def __init__(self, directory: Path, engines: Engines) -> None:
        self.name = f"bench_{uuid.uuid4().hex[:12]}"
        self.directory = directory / self.name
        self.directory.mkdir()
        self._postgres = engines.postgres
        given = {
            "kafka_url": engines.kafka,
            "postgres_url": make_conninfo(engines.postgres, dbname=self.name),
            "cassandra_url": f"{engines.cassandra.rstrip('/')}/{self.name}",
            "redis_url": engines.redis,
            "topic_prefix": f"{self.name}-",
            "topic_partitions": PARTITIONS,
            "data": self.directory / "data",
            "master_key_file": self.directory / "master.key",
            "access_token_minutes": 60,
            "log_level": "warning",
        }
        names = ("tweets_a_day", "tweets_a_second", "tweets_burst", "reads_a_minute", "writes_a_minute")
        limits = dict.fromkeys(names, _OFTEN)
        self.settings = Settings.model_validate({**given, "rate_limits": limits})
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
            **{f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()},
            **{f"{PREFIX}RATE_LIMITS__{name.upper()}": str(value) for name, value in limits.items()},
            "PYTHONPATH": str(ROOT),
        }
        self.servers = brokers(engines.kafka)
        self.generations = Generations.first(DistributedSettings.of(self.settings))
        self.redis_url = engines.redis

    async def set_up(self) -> Installation:
        """Create the master key, the tables and the topics."""
        async with await psycopg.AsyncConnection.connect(self._postgres, autocommit=True) as connection:
            await connection.execute(f"CREATE DATABASE {self.name}".encode())
        MasterKeys.generate().save(self.directory / "master.key")
        await migrate(self.settings)
        await topics.apply(self.admin(), partitions=PARTITIONS, prefix=self.settings.topic_prefix)
        return self

    async def remove(self) -> None:
        """Remove everything from the engines, except keys that expire in Redis."""
        await drop(self.generations.address)
        await asyncio.to_thread(self._delete_topics)
        async with await psycopg.AsyncConnection.connect(self._postgres, autocommit=True) as connection:
            await connection.execute(f"DROP DATABASE {self.name} WITH (FORCE)".encode())

    def admin(self) -> AdminClient:
        """Return a client that creates topics."""
        return AdminClient({"bootstrap.servers": self.servers})

    def _delete_topics(self) -> None:
        admin = self.admin()
        ours = [name for name in admin.list_topics(timeout=10).topics if name.startswith(self.settings.topic_prefix)]
        for deleted in admin.delete_topics(ours).values() if ours else ():
            deleted.result(30)

    @contextmanager
    def process(self, *words: str) -> Iterator[Served]:
        """Run one of our processes, `minitwitter WORDS`, inside the block, once it is ready. Raises ProcessFailed."""
        with self.module("runtime.cli", *words) as served:
            yield served

    @contextmanager
    def module(self, module: str, *words: str, **settings: int) -> Iterator[Served]:
        """Run a module that is a process with health and metrics, in the same way. Raises ProcessFailed."""
        own = {f"{PREFIX}{name.upper()}": str(value) for name, value in settings.items()}
        port = free_port()
        told = self.directory / f"{'-'.join(words) or module}-{port}.log"
        with told.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", module, *words, "--port", str(port)],
                env=self._environment | own,
                cwd=self.directory,
                stdout=log,
                stderr=log,
            )
        try:
            served = Served(port, process.pid)
            _await_ready(served, process, told)
            yield served
            if process.poll() is not None:
                raise ProcessFailed(f"{' '.join(words) or module} ended: {_end_of(told)}")
        finally:
            process.terminate()
            try:
                process.wait(_STOPPED_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(served: Served, process: subprocess.Popen[bytes], told: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            served.read("/readyz")
            return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ProcessFailed(f"not ready: {_end_of(told)}") from None
            time.sleep(0.05)


def _end_of(told: Path) -> str:
    return told.read_text(errors="replace")[-2000:]
