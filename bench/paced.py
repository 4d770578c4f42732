"""Open-loop load: posts at a set rate, regardless of the server's speed, and reads of a follower's feed."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence


class Connection:
    """One keep-alive HTTP connection, with only the parts of HTTP/1.1 that our own server needs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect to a server on this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def request(self, raw: bytes) -> tuple[int, bytes]:
        """Send a request; return its status and body."""
        head, body = await self.exchange(raw)
        return int(head[9:12]), body

    async def exchange(self, raw: bytes) -> tuple[bytes, bytes]:
        """Send a request; return the head of the answer, in lower case, and its body."""
        self._writer.write(raw)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.find(b"content-length:")
        size = int(head[length + 15 : head.find(b"\r\n", length)]) if length > 0 else 0
        return head, await self._reader.readexactly(size)

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


def post(token: str, text: str) -> bytes:
    """Return the request that posts a tweet."""
    body = f'{{"text":"{text}"}}'.encode()
    head = (
        f"POST /api/v1/tweets HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(token: str, path: str, *headers: str) -> bytes:
    """Return a GET request."""
    lines = (f"GET {path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {token}", *headers)
    return "\r\n".join((*lines, "", "")).encode()


async def posts(port: int, tokens: Sequence[str], per_second: int, seconds: float, connections: int = 64) -> int:
    """Post at a rate for a time; return how many were accepted. Raises AssertionError if one was refused."""
    open_ = [await Connection.open(port) for _ in range(connections)]
    requests = itertools.cycle([post(token, "Waiting for the train again, it is late as always") for token in tokens])
    started = time.perf_counter()
    numbers = itertools.count()
    accepted = 0

    async def work(connection: Connection) -> None:
        nonlocal accepted
        while True:
            due = next(numbers) / per_second
            if due >= seconds:
                return
            wait = started + due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            status, body = await connection.request(next(requests))
            assert status == 201, body
            accepted += 1

    await asyncio.gather(*(work(connection) for connection in open_))
    for connection in open_:
        connection.close()
    return accepted


async def seen_after(port: int, authors: Sequence[str], follower: str, probes: int, every_s: float) -> list[float]:
    """Return the milliseconds from a 201 to the tweet in the follower's feed, for each of some posts."""
    writing, reading = await Connection.open(port), await Connection.open(port)
    feed = get(follower, "/api/v1/feed?limit=5")
    found = []
    for number in range(probes):
        status, body = await writing.request(post(authors[number % len(authors)], f"probe {number}"))
        acknowledged = time.perf_counter()
        assert status == 201, body
        id_ = body[7:43]
        while id_ not in (await reading.request(feed))[1]:
            pass
        found.append((time.perf_counter() - acknowledged) * 1000)
        await asyncio.sleep(every_s)
    writing.close()
    reading.close()
    return sorted(found)
