"""One account or address has few of the streams that a process keeps open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from httpx_sse import aconnect_sse
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.scenarios.people import Person, join
from tests.scenarios.service import Service, problem

HERE = {"max_streams_of_account": 3, "max_streams_of_address": 5}


@pytest.fixture
async def api(service: Service) -> AsyncIterator[str]:
    async with service.live() as url:
        yield url


@pytest.fixture
async def http(api: str) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=api, timeout=30, limits=limits) as client:
        yield client


async def open_stream(stack: AsyncExitStack, person: Person) -> None:
    source = await stack.enter_async_context(aconnect_sse(person.http, "GET", "/stream", headers=person.bearer))
    assert source.response.status_code == 200
    events = source.aiter_sse()
    stack.push_async_callback(events.aclose)  # kept until then: without it the stream would be closed at once
    await anext(events)


async def none_open(service: Service) -> None:
    """Wait until the server has heard that its clients left."""
    async with asyncio.timeout(30):
        while service.composition.query_side.hub.open:  # noqa: ASYNC110  the server is told by its sockets
            await asyncio.sleep(0.02)


async def refused(person: Person) -> str:
    answer = await person.request("GET", "/stream")
    assert answer.headers["retry-after"]
    assert answer.status_code == 429
    return f"{problem(answer)}: {answer.json()['detail']}"


@pytest.mark.parametrize("settings", [HERE])
async def test_an_account_has_its_share_of_streams_and_an_address_has_its_own(
    api: str, http: httpx.AsyncClient, service: Service, ada: Person, bob: Person
) -> None:
    cyd = await join(http, "cyd")
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await open_stream(stack, ada)
        assert "3 streams of an account" in await refused(ada)
        ticket = (await ada.request("POST", "/stream/tickets")).json()["ticket"]
        async with connect(f"{api.replace('http', 'ws')}/ws?ticket={ticket}", proxy=None) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4429
        for _ in range(2):
            await open_stream(stack, bob)
        assert "5 streams of an address" in await refused(cyd)
        assert service.composition.query_side.hub.open == 5
    await none_open(service)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await open_stream(stack, ada)
        assert "3 streams of an account" in await refused(ada)


@pytest.mark.parametrize("settings", [HERE | {"max_streams": 2}])
async def test_a_stream_that_is_refused_or_fails_leaves_its_share(
    http: httpx.AsyncClient, ada: Person, bob: Person, service: Service
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await open_stream(stack, bob)
        for _ in range(10):
            assert (await ada.request("GET", "/stream")).status_code == 503
    for _ in range(10):
        bad = await ada.request("GET", "/stream", headers={"last-event-id": "nonsense"})
        assert bad.status_code == 400
    await none_open(service)
    for _ in range(10):
        head = await ada.request("HEAD", "/stream")
        assert head.status_code == 200
    async with AsyncExitStack() as stack:
        await open_stream(stack, ada)
