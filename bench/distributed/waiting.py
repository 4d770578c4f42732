"""A worker whose store waits 2 ms for each batch, as a process: `python -m bench.distributed.waiting --port N`.

It is hosted like the groups of `work projectors`, and counts like the counters' projector; only its positions are
stored, so that partitions can move between processes.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from events.event import Envelope
from events.first_copies import Entity
from events.fitting import Marks
from events.ids import AccountId, TweetId
from events.kafka.producing import KafkaPublisher
from events.log import Positions, Record, TopicPartition
from projectors.counts import Counts
from runtime.distributed.engines import Engines
from runtime.distributed.roles.hosted_group import HostedGroup, WorkerGroup
from runtime.distributed.roles.process import Process
from runtime.distributed.roles.workers import WorkersRole
from runtime.distributed.settings import DistributedSettings
from runtime.processor_group import Group
from runtime.settings import load
from runtime.telemetry import configure
from stores.counts import AccountCounter, TweetCounter
from stores.redis.connection import Client
from stores.sink import UNKNOWN

NAME = "waiting"
WAIT_S = 0.002


def key_of(prefix: str) -> str:
    """Return the key of its positions; `prefix` is that of the topics."""
    return f"{prefix}{NAME}"


class WaitingSink:
    """The Sink port: a wait, and positions in Redis."""

    def __init__(self, redis: Client, key: str) -> None:
        self._redis = redis
        self._key = key

    async def positions(self) -> Positions:
        """Return the positions committed by any process."""
        held: dict[Any, Any] = await self._redis.hgetall(self._key)
        return Positions.parse(b",".join(b"%b:%b" % (place, offset) for place, offset in held.items()).decode())

    async def marks(self) -> Marks:
        """Return nothing: no marks are stored."""
        return {}

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return nothing: no ids are stored."""
        return {}

    async def begin(self) -> None:
        """Do nothing."""

    def applying(self, about: Envelope, at: Record | None) -> None:
        """Do nothing."""

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Wait, then store the positions."""
        await asyncio.sleep(WAIT_S)
        await self._redis.hset(self._key, mapping={str(place): offset for place, offset in positions.items()})

    async def abandon(self) -> None:
        """Do nothing."""

    async def check(self) -> None:
        """Do nothing: only these workers write here."""

    async def close(self) -> None:
        """Do nothing: the connection is shared."""


class Dropped:
    """The CountRows port; it drops all counts."""

    def tweet(self, tweet: TweetId, counter: TweetCounter, change: int) -> None:
        """Drop it."""

    def account(self, account: AccountId, counter: AccountCounter, change: int) -> None:
        """Drop it."""


def waiting(settings: DistributedSettings) -> AbstractAsyncContextManager[WorkersRole]:
    """Return the role."""

    def make(engines: Engines, _: KafkaPublisher) -> list[WorkerGroup]:
        sink = WaitingSink(engines.redis, key_of(settings.topic_prefix))
        return [HostedGroup(Group(NAME, [Counts(Dropped())], [], sink))]

    return WorkersRole.open("projectors", settings, make)  # it serves the metrics of this role


def main() -> None:
    """Work until stopped."""
    parser = argparse.ArgumentParser(prog="python -m bench.distributed.waiting", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    settings = DistributedSettings.of(load({"port": parser.parse_args().port}).settings)
    configure(settings.log_level, NAME)
    asyncio.run(Process(settings, NAME, partial(waiting, settings), lambda line: None).run())


if __name__ == "__main__":
    main()
