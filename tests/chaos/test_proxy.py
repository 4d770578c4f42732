"""The proxy of the chaos tests causes the faults that they rely on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from infra.local.running import free_ports
from tests.chaos.proxy import Proxy

DEADLINE_S = 20
LONG = 0.3


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    front, behind = free_ports(2)
    server = await asyncio.start_server(echo, "127.0.0.1", behind)
    made = Proxy(front, behind)
    await made.start()
    yield made
    await made.close()
    server.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, proxy: Proxy) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    async def said(self, data: bytes) -> bytes:
        self.writer.write(data)
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readexactly(len(data))

    async def ended(self) -> bool:
        """Whether the other side has closed the connection."""
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(OSError):
                return await self.reader.read(1) == b""
            return True

    def close(self) -> None:
        self.writer.transport.abort()


async def test_all_bytes_are_forwarded_in_order(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    data = bytes(range(256)) * 4000
    assert await client.said(data) == data
    client.writer.write_eof()
    assert await client.ended()
    client.close()


async def test_delayed_bytes_arrive_late_and_in_order(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.delay(LONG)
    began = asyncio.get_running_loop().time()
    assert await client.said(b"late") == b"late"
    assert asyncio.get_running_loop().time() - began >= 2 * LONG
    client.writer.write(b"slow")
    await asyncio.sleep(0)
    proxy.mend()
    assert await client.said(b"fast") == b"slow"
    client.close()


async def test_stalled_bytes_arrive_after_the_stall(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    assert await client.said(b"before") == b"before"
    proxy.stall()
    client.writer.write(b"held")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(LONG):
            await client.reader.read(1)
    proxy.mend()
    assert await client.reader.readexactly(4) == b"held"
    client.close()


async def test_a_cut_closes_open_and_new_connections_until_it_ends(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    assert await client.said(b"before") == b"before"
    proxy.cut()
    assert await client.ended()
    refused = await Client.of(proxy)
    assert await refused.ended()
    proxy.mend()
    again = await Client.of(proxy)
    assert await again.said(b"after") == b"after"
    for each in (client, refused, again):
        each.close()


async def test_without_a_server_the_connection_is_closed() -> None:
    front, behind = free_ports(2)
    proxy = Proxy(front, behind)
    await proxy.start()
    client = await Client.of(proxy)
    assert await client.ended()
    client.close()
    await proxy.close()
