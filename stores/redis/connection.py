"""Redis on asyncio: a connection whose troubles are ours, and scripts that survive a server that forgot them."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterDownError,
    DataError,
    ExecAbortError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.maint_notifications import MaintNotificationsConfig

from events.calls import called

from ..sink import StoreRefused, StoreUnavailable

Client = Redis
Argument = str | bytes | int | float

CONNECT_S = 0.5

_OF_THE_SERVER = (
    AskError,
    ClusterDownError,
    ExecAbortError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
"""Answers that say how the server is, whatever the command: full, read-only, not allowed, or no owner of the key."""
_CODE_OF_THE_SERVER = re.compile(
    r"(?:^|: -|of pipeline caused error: \(['\"])(BUSY|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|UNBLOCKED) "
)
"""The same where the client has no class for it, and where Redis 6 wraps it as the error of a script."""


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
    """Raises StoreUnavailable or StoreRefused instead of the client's errors."""
    started = time.perf_counter()
    try:
        yield
        called("redis", started, answered=True)
    except (RedisError, OSError) as error:
        if refuses(error):
            called("redis", started, answered=True)
            raise StoreRefused(f"Redis refuses a command: {error}") from error
        called("redis", started, answered=False)
        raise StoreUnavailable(f"Redis does not answer as it should: {error}") from error


def refuses(error: Exception) -> bool:
    """Whether an error is about the command: a wrong type, a script that fails. Asked again, it comes again.

    All other errors pass: no connection, no answer in time, a server that loads, is full, or has become a replica.
    """
    if isinstance(error, DataError):
        return True
    if not isinstance(error, ResponseError) or isinstance(error, _OF_THE_SERVER):
        return False
    return _CODE_OF_THE_SERVER.search(str(error)) is None


class Script:
    """A Lua script. It runs whole or not at all, and all its keys share a hash tag."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Client, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        """Run it for each pair of keys and arguments, all in one round trip. Raises StoreUnavailable, StoreRefused.

        Where the server has forgotten the script (it was restarted), all are run again: scripts must bear that.
        """
        with answering():
            found = await self._pipeline(client, calls)
            if any(isinstance(answer, NoScriptError) for answer in found):
                await client.script_load(self.source)
                found = await self._pipeline(client, calls)
            errors = sorted((answer for answer in found if isinstance(answer, Exception)), key=refuses)
            if errors:
                raise errors[0]
            return found

    async def _pipeline(self, client: Client, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        async with client.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                pipeline.execute_command("EVALSHA", self._sha, len(keys), *keys, *arguments)
            found: list[Any] = await pipeline.execute(raise_on_error=False)
            return found
