"""Announcements of applied positions and of invalidated cache keys, over Redis pub/sub.

A worker announces each batch after it is stored; query processes listen. Messages may be lost: each has the positions
where its batches began, so that a gap is noticed, and query processes also poll the stores a few times a second.
Without announcements they would have to poll a hundred times as often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from events.log import Positions
from events.retries import Backoff, Outage

from ..sink import StoreUnavailable
from .connection import Client, answering

_LISTEN_S = 1.0
_RECONNECT = Backoff((0.25,))


def channel_of(prefix: str) -> str:
    """Return the channel of an installation; `prefix` is the prefix of its topics."""
    return f"{prefix}advances"


MOST_OUTDATED = 1_000
"""The maximum number of cache keys in a message. If there are more, the message invalidates everything."""
_ANYTHING = "*"


@dataclass(slots=True)
class Advance:
    """Applied batches: the positions of their partitions before, and after.

    `outdated` are the cache keys that they invalidate (runtime/distributed/models/caches.py), None if any may be
    invalid.
    """

    start: Positions
    end: Positions
    outdated: set[str] | None = field(default_factory=set)

    def followed_by(self, later: Advance) -> Advance:
        """Return this advance and the later one as one."""
        some = None if self.outdated is None or later.outdated is None else self.outdated | later.outdated
        return Advance(Positions({**later.start, **self.start}), self.end.merged(later.end), some)

    def message(self, group: str) -> str:
        """Return the message for a group."""
        some = self.outdated
        told = [_ANYTHING] if some is None or len(some) > MOST_OUTDATED else sorted(some)
        return " ".join([group, str(self.start), str(self.end), *told])

    @classmethod
    def of(cls, message: str) -> tuple[str, Advance]:
        """Parse a message: return its group and the advance."""
        group, start, end, *told = message.split(" ")
        outdated = None if told == [_ANYTHING] else set(told)
        return group, cls(Positions.parse(start), Positions.parse(end), outdated)


class Announcer:
    """Announces advances, one message at a time. Advances that arrive meanwhile are merged into one message."""

    def __init__(self, client: Client, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._waiting: dict[str, Advance] = {}
        self._telling: asyncio.Task[None] | None = None

    def announce(self, group: str, start: Positions, end: Positions, outdated: Iterable[str]) -> None:
        """Announce an applied batch of a group, and the cache keys that it invalidates."""
        advance, before = Advance(start, end, set(outdated)), self._waiting.get(group)
        self._waiting[group] = advance if before is None else before.followed_by(advance)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        while self._waiting:
            group, advance = self._waiting.popitem()
            try:
                with answering():
                    await self._client.publish(self._channel, advance.message(group))
            except StoreUnavailable:
                pass  # listeners notice the gap, or poll the stores

    async def close(self) -> None:
        """Wait until all advances are announced."""
        if self._telling is not None:
            await asyncio.wait([self._telling])


class Listener:
    """Listens to the announcements of workers."""

    def __init__(self, client: Client, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._outage = Outage(_RECONNECT, "announcements of new positions in Redis")
        self.hears = False
        """Whether the connection is up, so that messages arrive."""

    async def run(self, heard: Callable[[str, Advance], None]) -> None:
        """Call `heard` with the group and the advance of each message, until cancelled. Reconnect after a loss."""
        while True:
            try:
                with answering():
                    await self._listen(heard)
            except StoreUnavailable as error:
                await self._outage.wait(error)
            finally:
                self.hears = False

    async def _listen(self, heard: Callable[[str, Advance], None]) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(self._channel)
            self._outage.end()
            self.hears = True
            while True:
                message = await subscription.get_message(timeout=_LISTEN_S)
                if message is not None:
                    heard(*Advance.of(message["data"].decode()))
