"""A consumer of Kafka in a thread of its own: librdkafka's calls block."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from confluent_kafka import Consumer

T = TypeVar("T")

_client = logging.getLogger("librdkafka")


class OwnedConsumer:
    """A consumer that is called in one thread of its own; created at the first call."""

    def __init__(self, settings: dict[str, Any], name: str) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(1, name)
        self._consumer: Consumer | None = None

    async def __call__(self, ask: Callable[[Consumer], T]) -> T:
        """Call `ask` with the consumer, in its thread. Raises the errors of `ask`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, ask)

    def _run(self, ask: Callable[[Consumer], T]) -> T:
        if self._consumer is None:
            self._consumer = Consumer(self._settings, logger=_client)
        return ask(self._consumer)

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    async def anew(self) -> None:
        """Replace the consumer by a new one."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._close)

    async def close(self) -> None:
        """Close the consumer and end its thread."""
        await self.anew()
        self._pool.shutdown()
