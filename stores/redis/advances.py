"""How far groups have come and what of their rows is outdated, told to whoever reads: Redis pub/sub.

A worker tells after each batch that has landed, a query process listens. Nothing rests on a message: each says where
its batches began, so that a gap is noticed; and what comes after the last one is found by looking into the stores, a
few times a second. What it saves is looking there a hundred times.
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
    """The channel of an installation; `prefix` is that of its topics."""
    return f"{prefix}advances"


MOST_OUTDATED = 1_000
"""Names in a message; of more it is said that anything may be outdated."""
_ANYTHING = "*"


@dataclass(slots=True)
class Advance:
    """Batches that landed: where their partitions stood before, and stand now.

    `outdated` are the cache keys that they invalidate (runtime/distributed/models/caches.py), None where any may be.
    """

    start: Positions
    end: Positions
    outdated: set[str] | None = field(default_factory=set)

    def followed_by(self, later: Advance) -> Advance:
        """Both as one."""
        some = None if self.outdated is None or later.outdated is None else self.outdated | later.outdated
        return Advance(Positions({**later.start, **self.start}), self.end.merged(later.end), some)

    def message(self, group: str) -> str:
        """As it is told."""
        some = self.outdated
        told = [_ANYTHING] if some is None or len(some) > MOST_OUTDATED else sorted(some)
        return " ".join([group, str(self.start), str(self.end), *told])

    @classmethod
    def of(cls, message: str) -> tuple[str, Advance]:
        """The group that a message is about, and how it advanced."""
        group, start, end, *told = message.split(" ")
        outdated = None if told == [_ANYTHING] else set(told)
        return group, cls(Positions.parse(start), Positions.parse(end), outdated)


class Announcer:
    """Tells of advances, a message at a time; what comes meanwhile is told together."""

    def __init__(self, client: Client, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._waiting: dict[str, Advance] = {}
        self._telling: asyncio.Task[None] | None = None

    def announce(self, group: str, start: Positions, end: Positions, outdated: Iterable[str]) -> None:
        """A batch of a group has landed; these rows of it are not what they were."""
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
                pass  # who listens finds a gap, or looks into the stores

    async def close(self) -> None:
        """Tell what waits."""
        if self._telling is not None:
            await asyncio.wait([self._telling])


class Listener:
    """Hears the announcements of workers."""

    def __init__(self, client: Client, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._outage = Outage(_RECONNECT, "announcements of new positions in Redis")
        self.hears = False
        """Whether there is a connection on which messages would come."""

    async def run(self, heard: Callable[[str, Advance], None]) -> None:
        """Call `heard` with each group that advanced and how, until cancelled; reconnect after a loss."""
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
