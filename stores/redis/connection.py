"""Redis on asyncio: a connection that raises the ports' errors, and scripts that are loaded again when necessary."""

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
"""Errors about the server's state, whatever the command: full, read-only, not permitted, or without the key's slot."""
_CODE_OF_THE_SERVER = re.compile(
    r"(?:^|: -|of pipeline caused error: \(['\"])(BUSY|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|UNBLOCKED) "
)
"""The same as error codes: for those without a class in the client, and as Redis 6 wraps them in errors of scripts."""


def connect(url: str, *, timeout_s: float = 2.0) -> Client:
    """Return a pool of connections to `redis://HOST:PORT/DATABASE`. No command is sent yet.

    An answer that takes longer than `timeout_s` is an error. Nothing is retried here, since only the caller knows
    whether a retry is safe and how long it may take.
    """
    client: Client = Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(CONNECT_S, timeout_s),
        retry=Retry(NoBackoff(), 0),
        # Otherwise, when these notifications arrive, the pool returns connections that the server has closed, each an
        # error.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return client


@contextmanager
def answering() -> Iterator[None]:
    """Convert the client's errors to StoreUnavailable or StoreRefused."""
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
    """Return whether an error is about the command, such as a wrong type or a failing script.

    A retry would fail as well. All other errors are temporary: no connection, a timeout, a server that loads, is full,
    or became a replica.
    """
    if isinstance(error, DataError):
        return True
    if not isinstance(error, ResponseError) or isinstance(error, _OF_THE_SERVER):
        return False
    return _CODE_OF_THE_SERVER.search(str(error)) is None


class Script:
    """A Lua script. It runs as a whole, and all its keys share a hash tag."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Client, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> list[Any]:
        """Run the script for each pair of keys and arguments, in one round trip. Raises StoreUnavailable, StoreRefused.

        If the server does not know the script any more (it was restarted), all are run again. So scripts must be
        idempotent.
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
