"""Bounds of request bodies: their length, their duration, and the memory for all of them together.

Routes read a body through the `Receive` of a `Body`, so no route can forget a bound. A client that sends slowly holds
only the bytes that it has sent, and only until its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from time import monotonic

from .exchange import Message, Receive, Send
from .problems import ProblemError

PATIENCE_S = 15.0
"""The longest pause of a body; also the time that a body has besides its length at LEAST_PACE."""
LEAST_PACE = 16_384
"""The slowest accepted rate, in bytes a second; 10 MB may take ten minutes."""
LINGER_S = 0.5
"""How long the rest of a refused body is received before the response is sent."""
SHARES = 4
"""One address may use this fraction of the room: a quarter."""

_CLOSE = (("connection", "close"),)
_RETRY = (("retry-after", "1"),)
_AS_IT_IS = frozenset((b"", b"identity"))
_ACCEPTED = (("accept-encoding", "identity"),)  # RFC 9110, 15.5.16


class Bodies:
    """Bounds the bodies of a process. `longer` maps paths to larger limits than `most_bytes`.

    `room` is the number of bytes of unanswered requests that may be in memory.
    """

    def __init__(
        self,
        *,
        most_bytes: int,
        longer: Mapping[str, int],
        room: int,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._most_bytes = most_bytes
        self._longer = longer
        self._room = room
        self._share = max(room // SHARES, most_bytes, *longer.values())
        self.patience_s = patience_s
        self.clock = clock
        self.in_hand = 0
        """Bytes of bodies in memory whose requests are not answered yet."""
        self._of: dict[str, int] = {}

    def open(self, path: str, headers: Mapping[bytes, bytes], receive: Receive, owner: str) -> Body | None:
        """Return the body of a request from `owner`; None if the request has none."""
        length = headers.get(b"content-length")
        said = None if length is None else int(length) if length.isdigit() and len(length) < 20 else 0
        if said == 0 or (said is None and b"transfer-encoding" not in headers):
            return None
        encoding = headers.get(b"content-encoding", b"").lower()
        return Body(self, receive, owner, self._most(path), said, waits=b"expect" in headers, encoding=encoding)

    def _most(self, path: str) -> int:
        return self._longer.get(path, self._most_bytes)

    def take(self, owner: str, length: int) -> None:
        """Count received bytes. Raises the problems `too-many` and `unavailable`."""
        held = self._of.get(owner, 0) + length
        if held > self._share:
            raise ProblemError("too-many", f"at most {self._share} bytes of unanswered requests", headers=_RETRY)
        if self.in_hand + length > self._room:
            raise ProblemError("unavailable", "too many bodies are being received here", headers=_RETRY)
        self._of[owner] = held
        self.in_hand += length

    def give_back(self, owner: str, length: int) -> None:
        """Stop counting the bytes of a request that was answered."""
        self.in_hand -= length
        held = self._of.get(owner, 0) - length
        if held > 0:
            self._of[owner] = held
        else:
            self._of.pop(owner, None)


class Body:
    """The body of one request. `close` must be called when the request is answered.

    `waits` means that the client sends nothing before it is told to continue (Expect: 100-continue). `encoding` is its
    Content-Encoding.
    """

    def __init__(
        self,
        bodies: Bodies,
        receive: Receive,
        owner: str,
        most: int,
        said: int | None,
        *,
        waits: bool = False,
        encoding: bytes = b"",
    ) -> None:
        self._bodies = bodies
        self._receive = receive
        self._owner = owner
        self._most = most
        self._said = said
        self._received = 0
        self._held = 0
        self._whole = False
        self._waits = waits
        self._encoding = encoding
        self._deadline = bodies.clock() + bodies.patience_s + min(said or most, most) / LEAST_PACE

    async def receive(self) -> Message:
        """Return the next message (ASGI); once the body is complete, the server's further messages.

        Raises the problems `too-large`, `too-slow`, `too-many`, `unavailable`, `wrong-type` if it is compressed, and
        `bad-request` if it is cut off.
        """
        if self._whole:
            return await self._receive()
        if self._encoding not in _AS_IT_IS:
            told = self._encoding.decode("latin-1")
            raise ProblemError("wrong-type", f"send the body without encoding, not as {told}", headers=_ACCEPTED)
        if self._said is not None and self._said > self._most:
            raise too_large(self._most)
        left = self._deadline - self._bodies.clock()
        if left <= 0:
            raise _too_slow()
        try:
            async with asyncio.timeout(min(self._bodies.patience_s, left)):
                message = await self._receive()
        except TimeoutError:
            raise _too_slow() from None
        if message["type"] != "http.request":
            self._whole = True  # nothing more will arrive
            raise ProblemError("bad-request", "the body ended before it was complete", headers=_CLOSE)
        length = len(message.get("body", b""))
        self._received += length
        if self._received > self._most:
            raise too_large(self._most)
        self._bodies.take(self._owner, length)
        self._held += length
        self._whole = not message.get("more_body", False)
        return message

    async def answer(self, send: Send, message: Message) -> None:
        """Send a part of the response. Before the first part, receive the rest of the body for a short time.

        If a connection is closed with unread bytes, it is reset, and the client never reads the response.
        """
        if message["type"] == "http.response.start" and not self._whole and not self._waits:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await self._drop_the_rest()
        await send(message)

    async def _drop_the_rest(self) -> None:
        """Receive and drop the rest of the body, up to the allowed length."""
        while not self._whole and self._received <= self._most:
            message = await self._receive()
            self._received += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)

    def close(self) -> None:
        """Release the memory of the body: the request is answered."""
        if self._held:
            self._bodies.give_back(self._owner, self._held)
            self._held = 0


def _too_slow() -> ProblemError:
    return ProblemError("too-slow", "the body did not arrive in time", headers=_CLOSE)


def too_large(most_bytes: int) -> ProblemError:
    """Return the problem of a body that is longer than allowed."""
    return ProblemError("too-large", f"a request body may have at most {most_bytes} bytes")


async def read_body(receive: Receive, most_bytes: int) -> bytes:
    """Return the whole body of a request. Raises the problem `too-large`."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= most_bytes:
        message = await receive()
        body += message.get("body", b"")
    if len(body) > most_bytes:
        raise too_large(most_bytes)
    return body
