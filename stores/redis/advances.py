"""How far groups have come, told to whoever waits for a write to be seen: Redis pub/sub.

A worker tells after each batch that has landed, a query process listens. Nothing rests on a message: one that is lost
is made good by looking into the stores, a few times a second. What it saves is looking there a hundred times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from events.log import Positions

from ..sink import StoreUnavailable
from .connection import Client, answering

_LISTEN_S = 1.0
_RETRY_S = 0.25


def channel_of(prefix: str) -> str:
    """The channel of an installation; `prefix` is that of its topics."""
    return f"{prefix}advances"


class Announcing:
    """Tells of advances, a message at a time; what comes meanwhile is told together."""

    def __init__(self, client: Client, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._waiting: dict[str, Positions] = {}
        self._telling: asyncio.Task[None] | None = None

    def announce(self, group: str, positions: Positions) -> None:
        """A group's effects up to these positions, those that changed, have landed."""
        self._waiting[group] = self._waiting.get(group, Positions()).merged(positions)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        while self._waiting:
            group, positions = self._waiting.popitem()
            try:
                with answering():
                    await self._client.publish(self._channel, f"{group} {positions}")
            except StoreUnavailable:
                pass  # whoever waits looks into the stores

    async def close(self) -> None:
        """Tell what waits."""
        if self._telling is not None:
            await asyncio.wait([self._telling])


class Listening:
    """Hears of advances until it is cancelled. `heard` is called with a group and those positions that changed."""

    def __init__(self, client: Client, channel: str, heard: Callable[[str, Positions], None]) -> None:
        self._client = client
        self._channel = channel
        self._heard = heard
        self.hears = False
        """Whether there is a connection on which messages would come."""

    async def run(self) -> None:
        """Listen, again whenever the connection is lost."""
        while True:
            try:
                with answering():
                    await self._listen()
            except StoreUnavailable:
                await asyncio.sleep(_RETRY_S)
            finally:
                self.hears = False

    async def _listen(self) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(self._channel)
            self.hears = True
            while True:
                message = await subscription.get_message(timeout=_LISTEN_S)
                if message is not None:
                    group, _, positions = message["data"].decode().partition(" ")
                    self._heard(group, Positions.parse(positions))
