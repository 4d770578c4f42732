"""Uploads that send a header and wait hold no place that others need."""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from urllib.parse import urlsplit

import httpx

from tests import pictures
from tests.scenarios.people import join
from tests.scenarios.service import Service, problem

WAITING = 30
SHARE = 2
"""Uploads at once of one account."""


async def test_who_is_refused_while_still_sending_reads_why(service: Service) -> None:
    """Closed over what is still on its way, a connection would be reset, and the answer lost."""
    async with service.live() as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        for _ in range(20):
            refused = await http.post("/media", files={"file": ("a.jpg", b"a" * 3_000_000, "image/jpeg")})
            assert (refused.status_code, problem(refused)) == (401, "not-signed-in")


async def test_uploads_that_wait_keep_nobody_else_from_uploading(service: Service) -> None:
    async with service.live() as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        ada, bob = await join(http, "ada"), await join(http, "bob")
        address = urlsplit(url)
        head = (
            f"POST {address.path}/media HTTP/1.1\r\nHost: x\r\nAuthorization: {ada.bearer['authorization']}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n--x\r\n"
        ).encode()
        waiting, answers = [], []
        for _ in range(WAITING):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(head)
            await writer.drain()
            waiting.append(writer)
            answers.append(asyncio.ensure_future(reader.readline()))
        async with asyncio.timeout(30):
            while sum(answer.done() for answer in answers) < WAITING - SHARE:
                await asyncio.wait([answer for answer in answers if not answer.done()], return_when=FIRST_COMPLETED)
        assert {answer.result()[:12] for answer in answers if answer.done()} == {b"HTTP/1.1 429"}
        file = {"file": ("a.jpg", pictures.jpeg(), "image/jpeg")}
        again = await http.post("/media", files=file, headers=ada.bearer)
        assert (again.status_code, problem(again)) == (429, "too-many")
        assert (await http.post("/media", files=file, headers=bob.bearer)).status_code == 201
        assert sum(answer.done() for answer in answers) == WAITING - SHARE, "the others still wait for their file"
        for writer in waiting:
            writer.transport.abort()
        async with asyncio.timeout(30):
            while (  # noqa: ASYNC110  the server is told by its sockets
                await http.post("/media", files=file, headers=ada.bearer)
            ).status_code != 201:
                await asyncio.sleep(0.02)
        await asyncio.gather(*answers, return_exceptions=True)
