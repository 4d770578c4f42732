"""Incomplete requests, sent to the real server over a socket: they have no effect and cause no internal error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.scenarios.people import Person
from tests.scenarios.service import Faults, Service


@pytest.fixture
async def address(service: Service) -> AsyncIterator[tuple[str, int]]:
    async with service.live() as url:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        yield parts.hostname, parts.port


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    found: list[BaseException] = []
    monkeypatch.setattr(Faults, "fault", lambda self, request_id, error: found.append(error))
    return found


async def answer(address: tuple[str, int], sent: bytes, *, closes: bool) -> str:
    """Return the response to these bytes, after which the client stops sending or disconnects."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    await writer.drain()
    if closes:
        await asyncio.sleep(0.05)  # so that the request has probably begun; the assertions hold in both cases
        writer.transport.abort()
        return ""
    if writer.can_write_eof():
        writer.write_eof()
    async with asyncio.timeout(30):
        head = await reader.read(400)
    writer.close()
    return head.partition(b"\r\n")[0].decode()


BODY = b'{"text": "cut"}'
CUT = b"Content-Length: 100\r\n\r\n" + BODY
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\nf\r\n" + BODY + b"\r\n"
BAD_CHUNK = CHUNKED + b"ZZ\r\n"


LINES = (
    b"POST /api/v1/tweets",
    b"POST /api/v1/auth/login",
    b"PATCH /api/v1/users/me",
    b"POST /api/v1/media",
    b"POST /api/v1/users/ada/follow",
    b"DELETE /api/v1/users/bob/follow",
    b"POST /api/v1/stream/tickets",
    b"POST /media-store/media",
)


@pytest.mark.parametrize("closes", [False, True], ids=["half-closed", "left"])
@pytest.mark.parametrize("broken", [CUT, CHUNKED, BAD_CHUNK], ids=["cut", "chunks that stop", "bad chunk"])
async def test_a_body_that_is_not_whole_does_nothing_and_is_no_fault(
    service: Service, address: tuple[str, int], ada: Person, faults: list[BaseException], broken: bytes, closes: bool
) -> None:
    before = len(await service.events())
    for line in LINES:
        kind = b"multipart/form-data; boundary=x" if b"media" in line else b"application/json"
        bearer = ada.bearer["authorization"].encode()
        head = b"%s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: %s\r\n" % (line, bearer, kind)
        status = await answer(address, head + broken, closes=closes)
        assert closes or status.startswith("HTTP/1.1 4"), (line, status)
    async with httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}") as client:
        assert (await client.get("/healthz")).status_code == 200
    assert faults == []
    assert len(await service.events()) == before


@pytest.mark.parametrize("path", ["/api/v1/feed", "/api/v1/public", "/healthz", "/api/v1/stream", "/docs"])
async def test_a_read_of_a_client_that_half_closes_is_no_fault(
    address: tuple[str, int], ada: Person, faults: list[BaseException], path: str
) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {ada.bearer['authorization']}\r\n\r\n".encode()
    for closes in (False, True):
        await answer(address, head, closes=closes)
    assert faults == []


@pytest.mark.parametrize(("version", "status"), [(b"1.1", "400"), (b"1.0", "200")])
async def test_a_request_of_http_1_1_names_its_host(address: tuple[str, int], version: bytes, status: str) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET /healthz HTTP/%s\r\n\r\n" % version)
    async with asyncio.timeout(30):
        line = await reader.readline()
    writer.close()
    assert line.decode().split()[1] == status, line
