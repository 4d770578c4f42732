"""Connections to Redis when the server stops and starts again."""

import asyncio
import time

import pytest

from infra.local.redis import Redis
from infra.local.running import Running
from stores.redis.connection import Client, answering, connect
from stores.sink import StoreUnavailable

pytestmark = pytest.mark.engines

AT_ONCE = 5
DEADLINE_S = 20


async def test_after_a_restart_of_the_server_new_connections_are_opened_without_an_error(
    running: Running,
) -> None:
    client = connect((await asyncio.to_thread(running.up, Redis())).url)

    async def ask() -> list[None]:
        with answering():
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.get("nothing")
                return await pipeline.execute()

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    await asyncio.to_thread(running.kill, "redis")
    with pytest.raises(StoreUnavailable):
        await ask()
    await asyncio.to_thread(running.up, Redis())
    await all_noticed(client)
    assert await asyncio.gather(*(ask() for _ in range(AT_ONCE))) == [[None]] * AT_ONCE
    await client.aclose()


async def all_noticed(client: Client) -> None:
    """Wait until the event loop has seen the end of every connection in the pool."""
    deadline = time.monotonic() + DEADLINE_S
    kept = [connection._reader for connection in client.connection_pool._available_connections if connection._reader]
    while not all(reader.at_eof() for reader in kept):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
