"""aiokafka's client, with one behaviour of aiokafka 0.14 replaced: no connection outlives the client.

aiokafka closes its connections and waits for them. A connection that another task is opening meanwhile is added
afterwards and never closed; a request that finds its connection closed opens a new one.
"""

from __future__ import annotations

from typing import Any

import aiokafka.consumer.consumer
import aiokafka.producer.producer
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import CloseReason


class Client(AIOKafkaClient):  # type: ignore[misc]
    """A client that returns no connection once it is closed. Requests then fail as if a broker were unavailable."""

    _is_closed = False

    async def close(self) -> None:
        """Close every connection."""
        self._is_closed = True
        await super().close()

    async def _get_conn(
        self, node_id: object, *, group: object = ConnectionGroup.DEFAULT, no_hint: bool = False
    ) -> Any | None:
        if self._is_closed:
            return None
        connection = await super()._get_conn(node_id, group=group, no_hint=no_hint)
        if self._is_closed and connection is not None:
            await connection.close(reason=CloseReason.SHUTDOWN)
            return None
        return connection


def install() -> None:
    """Make aiokafka's consumers and producers use this client."""
    aiokafka.consumer.consumer.AIOKafkaClient = Client
    aiokafka.producer.producer.AIOKafkaClient = Client
