"""Uploads that send a header and wait hold no place that others need."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx
from people import join
from service import Service, problem

from tests import pictures

WAITING = 30


async def test_uploads_that_wait_keep_nobody_else_from_uploading(service: Service) -> None:
    async with service.live() as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        ada, bob = await join(http, "ada"), await join(http, "bob")
        address = urlsplit(url)
        head = (
            f"POST {address.path}/media HTTP/1.1\r\nHost: x\r\nAuthorization: {ada.bearer['authorization']}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n--x\r\n"
        ).encode()
        waiting = []
        refused = 0
        for _ in range(WAITING):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(head)
            await writer.drain()
            waiting.append(writer)
            try:
                async with asyncio.timeout(30 if len(waiting) > 2 else 0.3):
                    line = await reader.readline()
            except TimeoutError:
                continue  # it waits for the file
            assert line.startswith(b"HTTP/1.1 429")
            refused += 1
        assert refused == WAITING - 2
        file = {"file": ("a.jpg", pictures.jpeg(), "image/jpeg")}
        again = await http.post("/media", files=file, headers=ada.bearer)
        assert (again.status_code, problem(again)) == (429, "too-many")
        assert (await http.post("/media", files=file, headers=bob.bearer)).status_code == 201
        for writer in waiting:
            writer.transport.abort()
        async with asyncio.timeout(30):
            while (  # noqa: ASYNC110  the server is told by its sockets
                await http.post("/media", files=file, headers=ada.bearer)
            ).status_code != 201:
                await asyncio.sleep(0.02)  # the server is told by its sockets
