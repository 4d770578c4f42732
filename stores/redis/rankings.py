"""The current trends on Redis, ranked once for all processes: the KeptAnswers port of query_api/rankings.py.

A string for each window, which expires when it is too old. A read takes 0.2 ms, much less than a ranking.
"""

from __future__ import annotations

from events.ids import Millis

from .connection import Client, answering


class RedisRankings:
    """Cached answers for all viewers. `name` is the read model with its version, and the prefix: trends@1."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    async def get(self, window: str, at: Millis | None) -> bytes | None:
        """Return the answer for a window that ends at a time, or now if None. Raises StoreUnavailable."""
        with answering():
            body = await self._client.get(self._key(window, at))
            assert not isinstance(body, str)  # connect() does not decode
            return body

    async def put(self, window: str, at: Millis | None, body: bytes, seconds: float) -> None:
        """Store an answer for some seconds, one millisecond at least. Raises StoreUnavailable."""
        with answering():
            await self._client.set(self._key(window, at), body, px=max(1, int(seconds * 1000)))

    def _key(self, window: str, at: Millis | None) -> str:
        return f"{{{self._name}.{window}}}:{'now' if at is None else at}"
