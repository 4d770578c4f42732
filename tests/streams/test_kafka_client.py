"""A client of Kafka that is closed has no connection left, whatever was going on when it was closed."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.structs import BrokerMetadata

from streams.faust_overrides import ConsumerThread
from streams.kafka_client import Client

NODE, UNKNOWN = 1, 2
SOON = 20


class Broker:
    """Takes connections, and answers requests for its API versions once `answers` is set."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.connected = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Broker:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: None) -> None:
        self.answers.set()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        self.connected.set()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                correlation = (await reader.readexactly(size))[4:8]
                await self.answers.wait()
                answer = correlation + struct.pack(">hi", 0, 0)
                writer.write(struct.pack(">i", len(answer)) + answer)
        writer.close()

    def introduce(self, client: Client) -> None:
        """Have a client know this broker."""
        client.cluster._brokers[NODE] = BrokerMetadata(NODE, *self._server.sockets[0].getsockname(), None)

    async def all_closed(self) -> None:
        """Wait until no client has a connection."""
        assert self._serving
        await asyncio.wait_for(asyncio.gather(*self._serving), SOON)


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as broker:
        yield broker


async def test_a_connection_that_is_being_made_while_its_client_is_closed_is_closed_as_well(broker: Broker) -> None:
    client = Client()
    broker.introduce(client)
    connecting = asyncio.create_task(client.ready(NODE))
    await asyncio.wait_for(broker.connected.wait(), SOON)
    await client.close()
    broker.answers.set()
    assert not await connecting
    await broker.all_closed()


async def test_a_closed_client_makes_no_connection(broker: Broker) -> None:
    client = Client()
    broker.introduce(client)
    await client.close()
    assert not await client.ready(NODE)
    assert not broker.connected.is_set()


async def test_a_consumer_stops_with_its_connections_closed_while_a_fetch_backs_off(broker: Broker) -> None:
    broker.answers.set()
    consumer = AIOKafkaConsumer(retry_backoff_ms=60_000)
    client = consumer._client
    broker.introduce(client)
    assert await client.ready(NODE)
    consumer._fetcher = fetcher = Fetcher(client, consumer._subscription, retry_backoff_ms=60_000)
    async with asyncio.timeout(SOON):
        # Until it waits for an assignment it cancels the fetches that it finds. aiokafka has no event for that.
        while not consumer._subscription._assignment_waiters:  # noqa: ASYNC110
            await asyncio.sleep(0)
    backing_off = asyncio.Event()
    fetcher._invalidate_preferred_read_replica_for_node = lambda *_: backing_off.set()
    failing = fetcher._proc_fetch_request(None, UNKNOWN, SimpleNamespace(topics=[]))
    fetcher._pending_tasks.add(asyncio.create_task(failing))
    await asyncio.wait_for(backing_off.wait(), SOON)
    thread = object.__new__(ConsumerThread)
    thread._consumer = consumer
    await asyncio.wait_for(thread.on_thread_stop(), SOON)
    await broker.all_closed()


async def test_consumers_and_producers_use_this_client() -> None:
    consumer, producer = AIOKafkaConsumer(), AIOKafkaProducer()
    try:
        assert isinstance(consumer._client, Client)
        assert isinstance(producer.client, Client)
    finally:
        await consumer.stop()
        await producer.stop()
