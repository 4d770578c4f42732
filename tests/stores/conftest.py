"""Fixtures of the tests of stores."""

from collections.abc import AsyncIterator

import pytest

from stores.redis.connection import Client, connect


@pytest.fixture
async def client(redis: str) -> AsyncIterator[Client]:
    """The real Redis."""
    made = connect(redis)
    yield made
    await made.aclose()
