"""The proxy of the chaos tests does what it says, else they would prove less than they seem to."""

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
        """Whether the other side is gone."""
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(OSError):
                return await self.reader.read(1) == b""
            return True

    def close(self) -> None:
        self.writer.transport.abort()


async def test_it_passes_on_what_is_sent_in_order_and_whole(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    data = bytes(range(256)) * 4000
    assert await client.said(data) == data
    client.writer.write_eof()
    assert await client.ended()
    client.close()


async def test_what_is_delayed_arrives_no_sooner_and_is_not_reordered(proxy: Proxy) -> None:
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


async def test_what_is_stalled_arrives_when_it_is_mended(proxy: Proxy) -> None:
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


async def test_a_cut_ends_what_is_open_and_what_comes_until_it_is_mended(proxy: Proxy) -> None:
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


async def test_where_nobody_listens_the_connection_ends() -> None:
    front, behind = free_ports(2)
    proxy = Proxy(front, behind)
    await proxy.start()
    client = await Client.of(proxy)
    assert await client.ended()
    client.close()
    await proxy.close()
