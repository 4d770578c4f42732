"""A client of server-sent events for an open stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from httpx_sse import aconnect_sse

from tests.scenarios.people import Person

IN_TIME_S = 20


class Event(NamedTuple):
    kind: str
    id: str
    data: Any


class Stream:
    """An open stream; `next` waits for an event."""

    def __init__(self, events: AsyncIterator[Any]) -> None:
        self._events = events
        self.last_id = ""

    async def next(self) -> Event:
        async with asyncio.timeout(IN_TIME_S):
            while True:
                event = await anext(self._events)
                self.last_id = event.id
                if event.event != "still-here":
                    return Event(event.event, event.id, json.loads(event.data))

    async def texts(self, count: int) -> list[str]:
        return [(await self.next()).data["tweet"]["text"] for _ in range(count)]

    async def ended(self) -> bool:
        try:
            await self.next()
        except StopAsyncIteration:
            return True
        return False


@asynccontextmanager
async def streaming(person: Person, last: str = "", **params: str) -> AsyncIterator[Stream]:
    headers = {} if params else dict(person.bearer)
    if last:
        headers["last-event-id"] = last
    async with aconnect_sse(person.http, "GET", "/stream", headers=headers, params=params) as source:
        assert source.response.status_code == 200, await source.response.aread()
        assert source.response.headers["content-type"].startswith("text/event-stream")
        yield Stream(source.aiter_sse())
