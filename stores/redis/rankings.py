"""The current trends on Redis, ranked once for all processes: the KeptAnswers port of query_api/rankings.py.

A string a window, gone when it is too old: 0.2 ms to read instead of ranking anew. Nothing else is kept for long.
"""

from __future__ import annotations

from events.ids import Millis

from .connection import Client, answering


class RedisRankings:
    """Answers for everyone. `name` is the read model's with its version, and what is before it: trends@1."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    async def get(self, window: str, at: Millis | None) -> bytes | None:
        """The answer for a window that ends at a moment, or now. Raises StoreUnavailable."""
        with answering():
            body = await self._client.get(self._key(window, at))
            assert not isinstance(body, str)  # as connect() has it answer
            return body

    async def put(self, window: str, at: Millis | None, body: bytes, seconds: float) -> None:
        """Keep an answer for some time, a millisecond at least. Raises StoreUnavailable."""
        with answering():
            await self._client.set(self._key(window, at), body, px=max(1, int(seconds * 1000)))

    def _key(self, window: str, at: Millis | None) -> str:
        return f"{{{self._name}.{window}}}:{'now' if at is None else at}"
