"""Connections are limited for each address, and silent connections are closed."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.connections import Connections, raise_file_limit
from runtime.http_server import LONGEST_HEAD, Server, free_port
from tests.integration.running import Serving

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="connections are listed in /proc")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that waits for requests."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def connected(stack: ExitStack, port: int, many: int, source: str = "127.0.0.1") -> list[socket.socket]:
    made = []
    for _ in range(many):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 30, source_address=(source, 0)))
        client.setblocking(False)
        made.append(client)
    await asyncio.sleep(0.1)  # the server takes them; if it has not, `look` finds fewer and the test fails
    return made


def is_open(client: socket.socket) -> bool:
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True


async def test_connections_beyond_the_share_of_an_address_are_ended(port: int) -> None:
    with ExitStack() as stack:
        mine = await connected(stack, port, 15)
        others = await connected(stack, port, 5, "127.0.0.2")
        assert Connections(port, 10, ()).look() == 5
        assert sum(map(is_open, mine)) == 10
        assert all(map(is_open, others))
        async with asyncio.timeout(30):
            while Connections(port, 10, ()).look():  # noqa: ASYNC110  the server closes them when it is its turn
                await asyncio.sleep(0.01)
        assert sum(map(is_open, mine)) == 10


async def test_trusted_proxies_have_no_share_and_other_ports_are_let_alone(port: int) -> None:
    with ExitStack() as stack:
        mine = await connected(stack, port, 30)
        assert Connections(port, 10, ("127.0.0.0/8",)).look() == 0
        assert Connections(port + 1, 10, ()).look() == 0
        assert all(map(is_open, mine))


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def serving(first_byte_s: float) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server that answers everything with 204."""
    port = free_port("127.0.0.1", 0)
    server = Server(answering, "127.0.0.1", port, first_byte_s=first_byte_s)
    server.start()
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)
            yield reader, writer
            writer.close()
    finally:
        await server.stop(5)


@pytest.mark.parametrize("said", [b"", b"G", b"GET / HTTP/1.1\r\nHo", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * "])
async def test_a_connection_that_says_nothing_more_is_ended(said: bytes) -> None:
    async with serving(first_byte_s=0.3) as (reader, writer):
        writer.write(said)
        answer = await reader.read()  # to its end, which the server makes
        assert answer.startswith(b"HTTP/1.1 204") == said.endswith(b"\r\n\r\n")


LENGTHS = b"Content-Length: 5", b"Transfer-Encoding: chunked"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"\r\n".join(LENGTHS), b"204"),  # and no further request is read, as RFC 9112 (6.1) has it
        (b"\r\n".join(reversed(LENGTHS)), b"204"),
        (b"Content-Length: 5\r\nContent-Length: 0", b"400"),
    ],
    ids=["two lengths", "two lengths the other way round", "two sizes"],
)
async def test_a_request_whose_end_is_in_doubt_is_the_last_of_its_connection(headers: bytes, status: bytes) -> None:
    async with serving(first_byte_s=20) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n0\r\n\r\n" + NEXT)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert answer.count(b"HTTP/1.1") == 1


async def test_a_head_that_does_not_end_is_refused_before_it_is_long() -> None:
    async with serving(first_byte_s=20) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX-A: ".ljust(LONGEST_HEAD, b"a"))
        assert (await reader.read()).startswith(b"HTTP/1.1 431")


SHARE = 110
SILENT = {"127.0.0.3": 150, **{f"127.0.0.{n}": 100 for n in range(4, 14)}}
"""Connections by address: more than the limit of one, and in total more than the backlog (1,024)."""


@pytest.mark.slow
def test_silent_connections_keep_nobody_out(tmp_path: Path) -> None:
    raise_file_limit()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "minitwitter.toml").write_text(f"max_connections_of_address = {SHARE}\n")
    with Serving(tmp_path / "data") as server, ExitStack() as stack:
        host, port = "127.0.0.1", int(server.url.rpartition(":")[2])
        with httpx.Client(base_url=server.url, timeout=30) as client:
            assert client.get("/healthz").status_code == 200
        for address, number in SILENT.items():
            for _ in range(number):
                stack.enter_context(socket.create_connection((host, port), 30, source_address=(address, 0)))
        answer = httpx.get(f"{server.url}/healthz", timeout=5)  # silent ones end after 20 s
        assert answer.status_code == 200
        soft = Path(f"/proc/{server.process.pid}/limits").read_text()
        (line,) = [line for line in soft.splitlines() if line.startswith("Max open files")]
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        assert int(line.split()[3]) >= min(hard, 65_536)
