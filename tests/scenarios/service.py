"""The whole application of a test: the real composition on a temporary directory, called over ASGI.

The clock stands still until the test moves it. The read models apply the log when a read asks for it with a
Consistency-Token. bcrypt has its lowest cost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from events.ids import Millis, Randomness
from events.log import Positions
from rest.tickets import Tickets
from runtime.embedded.composition import Composition
from runtime.embedded.system import InProcess, System
from runtime.http_server import Server, free_port
from runtime.readiness import Part
from runtime.settings import Settings
from tests.unhurried import UNHURRIED

START = Millis(1_763_000_000_000)
MINUTE = 60_000
DAY = 24 * 60 * MINUTE
LIFETIME_MS = 15 * MINUTE
REFRESH_MS = 30 * DAY
KEEP_MS = LIFETIME_MS + MINUTE
ISSUER = "minitwitter-tests"


class StandingClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Millis:
        return self.now

    def forward(self, ms: int) -> None:
        self.now = Millis(self.now + ms)


class Faults:
    """A Telemetry that makes a test with an unexpected error fail."""

    def request(self, request_id: str, method: str, route: str, status: int, seconds: float, path: str = "") -> None:
        pass

    def fault(self, request_id: str, error: BaseException) -> None:
        raise AssertionError("a fault of ours") from error

    def stale(self, why: str) -> None:
        pass


async def in_place(work: Any) -> None:
    work()


async def answering(client: httpx.AsyncClient) -> None:
    """Wait until the server listens."""
    while True:
        try:
            await client.get("/healthz")
            return
        except httpx.TransportError:
            await asyncio.sleep(0.01)


class Service:
    """The application and its parts; `client` sends requests to it."""

    def __init__(self, system: System, views: InProcess) -> None:
        self.system = system
        self.views = views
        self.parts: list[Part] = []
        self.composition = Composition(system, parts=lambda: self.parts, telemetry=Faults())
        self.authenticator = self.composition.authenticator
        self.tickets = Tickets(system.token_key, system.revocations, system.roles, system.clock)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.composition.application),
            base_url="http://test/api/v1",
            headers={"user-agent": "tests/1", "x-forwarded-for": "203.0.113.7"},
            event_hooks={"request": [self._project]},
        )

    async def _project(self, request: httpx.Request) -> None:
        if "consistency-token" in request.headers:
            await self.project()

    async def project(self) -> None:
        """Make the read models apply the log."""
        await self.views.project()

    @asynccontextmanager
    async def live(self) -> AsyncIterator[str]:
        """Serve the application with the real server and current read models; return the address of its API."""
        commits = self.system.log_db.commits
        appended = asyncio.Event()

        async def following() -> None:
            while await appended.wait():
                appended.clear()
                await self.views.project()

        port = free_port("127.0.0.1", 0)
        server = Server(self.composition.application, "127.0.0.1", port)
        server.start()
        commits.on_commit.append(appended.set)
        task = asyncio.ensure_future(following())
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url) as client:
            await answering(client)
        try:
            yield f"{url}/api/v1"
        finally:
            task.cancel()
            commits.on_commit.remove(appended.set)
            self.composition.close()
            await server.stop(5)

    async def events(self) -> list[Any]:
        """Return all events of the log."""
        return [record.event for record in await self.system.log.read(Positions(), 10_000)]


@asynccontextmanager
async def opened(
    directory: Path, clock: StandingClock, *, randomness: Randomness = os.urandom, **settings: Any
) -> AsyncIterator[Service]:
    """Open a service on a data directory; it is closed at the end."""
    chosen: dict[str, Any] = {"bcrypt_cost": 4, "issuer": ISSUER, "trusted_proxies": ("127.0.0.1",)} | settings
    chosen["rate_limits"] = UNHURRIED | settings.get("rate_limits", {})
    system = System(
        Settings(data=directory, **chosen), clock=clock, randomness=randomness, off_loop=in_place, timer=lambda: 0.0
    )
    views = await InProcess.open(system)
    service = Service(system, views)
    try:
        yield service
    finally:
        service.composition.close()
        views.close()
        await system.close()


# Requests and responses

PASSWORD = "correct horse battery"
OTHER = "staple of another kind"
ADA = {"username": "Ada", "email": "ada@example.org", "password": PASSWORD, "display_name": "Ada L."}
BOB = {"username": "bob", "email": "bob@example.org"}
Json = dict[str, Any]


def bearer(tokens: Json) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


async def registered(http: httpx.AsyncClient, **changes: Any) -> Json:
    answer = await http.post("/auth/register", json=ADA | changes)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def sign_in(
    http: httpx.AsyncClient, login: str = "ada", password: str = PASSWORD, **headers: str
) -> httpx.Response:
    return await http.post("/auth/login", json={"login": login, "password": password}, headers=headers)


async def signed_in(http: httpx.AsyncClient, *given: str, **headers: str) -> Json:
    answer = await sign_in(http, *given, **headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refresh(http: httpx.AsyncClient, tokens: Json) -> httpx.Response:
    return await http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})


async def is_signed_in(http: httpx.AsyncClient, tokens: Json) -> bool:
    answer = await http.get("/auth/sessions", headers=bearer(tokens))
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


async def fresh(http: httpx.AsyncClient, tokens: Json) -> dict[str, str]:
    """Return the headers of a read that waits for the read models."""
    answer = await refresh(http, tokens)
    return {"consistency-token": answer.headers["consistency-token"], **bearer(answer.json())}


def problem(answer: httpx.Response) -> str:
    """Return the slug of a problem response."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return str(body["type"]).removeprefix("/problems/")
