"""Counters on Redis for the contract of the Sink port. A note is a counter with the value 1."""

import re
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from redis import Redis

from events.event import Envelope
from events.ids import EventId, Millis, first_id_at
from events.log import Positions, Record, TopicPartition
from stores.redis.connection import Client, connect
from stores.redis.sink import RedisKeys, RedisSink
from tests.stores.link import Link

PLACES = {"tweets": TopicPartition("tweets", 0), "graph": TopicPartition("graph", 3)}
Clients = tuple[str, list[Client]]


@pytest.fixture
async def redis_clients(redis: str) -> AsyncIterator[Clients]:
    """The server, and a list of clients that are closed on their own event loop."""
    clients: list[Client] = []
    yield redis, clients
    for client in clients:
        await client.aclose()


class RedisSinks:
    """Counters under a prefix of each test. Sinks connect through a link that a test can cut."""

    def __init__(self, redis_clients: Clients) -> None:
        server, self._clients = redis_clients
        parts = urlsplit(server)
        self._direct = Redis.from_url(server)
        assert parts.hostname is not None
        assert parts.port is not None
        self._link = Link(parts.hostname, parts.port)
        self._url = f"redis://127.0.0.1:{self._link.port}{parts.path}"
        self._name = uuid.uuid4().hex[:12]
        self._serving: RedisSink | None = None

    @property
    def sink(self) -> RedisSink:
        """Return the sink of the group `serving`, on the event loop of the test."""
        if self._serving is None:
            self._clients.append(connect(self._url))
            self._serving = self.group("serving")
        return self._serving

    def close(self) -> None:
        self._link.close()
        for key in self._direct.scan_iter(match=f"{{{self._name}-*"):
            self._direct.delete(key)
        self._direct.close()

    def restart(self) -> None:
        self._serving = None

    def group(self, name: str) -> RedisSink:
        async def ends() -> Positions:
            return Positions()

        keys = RedisKeys(f"{self._name}-{name}@1", 3)
        return RedisSink(
            self._clients[-1], keys, place_of=lambda entity: PLACES[entity[0]], ends=ends, new_epoch=lambda: "an epoch"
        )

    def write(self, text: str) -> None:
        place, offset = PLACES["tweets"], self.sink._at.get(PLACES["tweets"], 0)
        about = Envelope(EventId(first_id_at(Millis(1))), Millis(1))
        self.sink.applying(about, Record(place.topic, place.partition, offset, "alice", "Noted", 1, None, about))
        self.sink.change("note", text, "times", 1)

    def notes(self) -> list[str]:
        """Return the stored notes."""
        keys = [key.decode() for key in self._direct.scan_iter(match=f"{{{self._name}-serving@1.*")]
        noted = [found[1] for key in keys if (found := re.search(r":note:(.*)", key))]
        assert all(self._direct.hgetall(key) == {b"times": b"1"} for key in keys if ":note:" in key)
        return sorted(noted)

    def lose(self) -> None:
        """Delete all data."""
        for key in self._direct.scan_iter(match=f"{{{self._name}-*"):
            self._direct.delete(key)

    def fill(self) -> None:
        """Cut the link. A full Redis would disturb other tests; the sink treats an unreachable one alike."""
        self._link.cut()

    def make_room(self) -> None:
        self._link.mend()

    def lock(self, on: bool) -> None:
        if on:
            self.fill()
        else:
            self.make_room()
