"""Redis on asyncio: a connection whose troubles are ours, and scripts that survive a server that forgot them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.maint_notifications import MaintNotificationsConfig

from events.calls import called

from ..sink import StoreUnavailable

Client = Redis
Argument = str | bytes | int | float

CONNECT_S = 0.5


def connect(url: str, *, timeout_s: float = 2.0) -> Client:
    """A pool of connections to `redis://HOST:PORT/DATABASE`; nothing is asked yet.

    An answer that takes longer than `timeout_s` is an error, and nothing is tried twice here: whoever asks knows
    whether that is safe, and how long they have.
    """
    client: Client = Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(CONNECT_S, timeout_s),
        retry=Retry(NoBackoff(), 0),
        # With these, as they come, the pool hands out connections that a server closed as it went, each an error more.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return client


@contextmanager
def answering() -> Iterator[None]:
    """Raises StoreUnavailable instead of the client's errors."""
    started = time.perf_counter()
    try:
        yield
        called("redis", started, answered=True)
    except (RedisError, OSError) as error:
        called("redis", started, answered=False)
        raise StoreUnavailable(f"Redis does not answer as it should: {error}") from error


class Script:
    """A Lua script. It runs whole or not at all, and all its keys share a hash tag."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Client, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        """Run it for each pair of keys and arguments, all in one round trip. Raises StoreUnavailable.

        Where the server has forgotten the script (it was restarted), all are run again: scripts must bear that.
        """
        with answering():
            found = await self._pipeline(client, calls)
            if any(isinstance(answer, NoScriptError) for answer in found):
                await client.script_load(self.source)
                found = await self._pipeline(client, calls)
            for answer in found:
                if isinstance(answer, Exception):
                    raise answer
            return found

    async def _pipeline(self, client: Client, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        async with client.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                pipeline.execute_command("EVALSHA", self._sha, len(keys), *keys, *arguments)
            found: list[Any] = await pipeline.execute(raise_on_error=False)
            return found
