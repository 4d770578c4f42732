"""Accounts as a service of a test: the real system on a temporary directory, the real edge and routes before it.

Time stands still until the test moves it, the views follow when a read waits for them, and bcrypt has its least cost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI

from command_api.passwords import Passwords
from command_api.routes import problems as problems
from command_api.routes.auth import Accounts, auth
from command_api.routes.executing import Commands, Limits
from command_api.routes.stream_tickets import stream_tickets
from command_api.sign_in_attempts import SignInAttempts
from command_api.tokens import AccessTokens, RefreshTokens
from events.ids import Millis
from events.log import Positions
from query_api.routes.sessions import sessions
from query_api.serving import Queries
from rest.authentication import Authenticator
from rest.edge import API, Edge
from rest.jwks import jwks
from rest.rate_limits import Policy, RateLimits
from rest.signing import ConsistencyTokens, Cursors
from rest.tickets import Tickets
from runtime.embedded.system import InProcess, System
from runtime.settings import Settings

START = Millis(1_763_000_000_000)
MINUTE = 60_000
DAY = 24 * 60 * MINUTE
ISSUER = "minitwitter-tests"
LIFETIME_MS = 15 * MINUTE
REFRESH_MS = 30 * DAY
KEEP_MS = LIFETIME_MS + MINUTE
FAILED_SIGN_INS = (Policy("failed-sign-ins", quota=10, window_s=3600, burst=10),)
ANYTHING = Policy("anything", quota=1_000_000, window_s=1, burst=1_000_000)


class StandingClock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Millis:
        return self.now

    def forward(self, ms: int) -> None:
        self.now = Millis(self.now + ms)


class Faults:
    """A Telemetry that fails the test that meets a fault."""

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        pass

    def fault(self, request_id: str, error: BaseException) -> None:
        raise AssertionError("a fault of ours") from error


async def in_place(work: Any) -> None:
    work()


class Service:
    """Everything that answers for accounts; `client` talks to it."""

    def __init__(self, system: System, views: InProcess, passwords: Passwords) -> None:
        self.system = system
        self.views = views
        self.store = system.commands
        self.keys = system.signing_keys
        self.revocations = system.revocations
        clock = system.clock
        self.authenticator = Authenticator(self.keys, self.revocations, clock, issuer=ISSUER, lifetime_ms=LIFETIME_MS)
        self.tickets = Tickets(system.token_key, self.revocations, clock)
        limits = RateLimits(clock)
        tokens = ConsistencyTokens(system.token_key)
        self.accounts = Accounts(
            passwords,
            AccessTokens(self.keys, clock, issuer=ISSUER, lifetime_ms=LIFETIME_MS),
            RefreshTokens(system.randomness, clock, REFRESH_MS),
            SignInAttempts(limits, FAILED_SIGN_INS),
            self.tickets,
        )
        self.app = FastAPI()
        self.app.state.accounts = self.accounts
        self.app.state.commands = Commands(
            store=self.store,
            ids=system.ids,
            tokens=tokens,
            limits=limits,
            policies=Limits((), (), FAILED_SIGN_INS),
            edit_window_ms=Millis(0),
            most_bytes=65_536,
        )
        self.app.state.queries = Queries(readers=lambda: system.readers, cursors=Cursors(system.token_key), now=clock)
        for router in (auth, stream_tickets, sessions):
            self.app.include_router(router, prefix=API)
        self.app.include_router(jwks(self.keys.jwks))
        self.edge = Edge(
            self.app,
            match=lambda method, path: None,
            new_id=system.ids.issue,
            authenticate=self.authenticator.authenticate,
            applied=SimpleNamespace(wait_for=self._wait_for),
            tokens=tokens,
            limits=limits,
            anonymous_reads=ANYTHING,
            telemetry=Faults(),
            address_of=lambda scope, headers: headers.get(b"x-test-address", b"203.0.113.7").decode(),
            most_bytes=65_536,
        )

    async def _wait_for(self, positions: Positions, timeout: float) -> bool:
        await self.views.project()
        return True

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.edge)
        return httpx.AsyncClient(transport=transport, base_url=f"http://test{API}", headers={"user-agent": "tests/1"})

    async def events(self) -> list[Any]:
        """All events of the log."""
        return [record.event for record in await self.system.log.read(Positions(), 10_000)]


@asynccontextmanager
async def opened(directory: Path, clock: StandingClock, passwords: Passwords) -> AsyncIterator[Service]:
    """A service on a data directory, closed again at the end."""
    system = System(Settings(data=directory), clock=clock, off_loop=in_place, timer=lambda: 0.0)
    views = await InProcess.open(system)
    try:
        yield Service(system, views, passwords)
    finally:
        views.close()
        await system.close()


# What the tests say over HTTP

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
    return answer.json()


async def sign_in(
    http: httpx.AsyncClient, login: str = "ada", password: str = PASSWORD, **headers: str
) -> httpx.Response:
    return await http.post("/auth/login", json={"login": login, "password": password}, headers=headers)


async def signed_in(http: httpx.AsyncClient, *given: str, **headers: str) -> Json:
    answer = await sign_in(http, *given, **headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refresh(http: httpx.AsyncClient, tokens: Json) -> httpx.Response:
    return await http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})


async def is_signed_in(http: httpx.AsyncClient, tokens: Json) -> bool:
    answer = await http.get("/auth/sessions", headers=bearer(tokens))
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


async def fresh(http: httpx.AsyncClient, tokens: Json) -> dict[str, str]:
    """Headers of a read that waits for the views."""
    answer = await refresh(http, tokens)
    return {"consistency-token": answer.headers["consistency-token"], **bearer(answer.json())}


def problem(answer: httpx.Response) -> str:
    """The slug of the problem that an answer is."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return str(body["type"]).removeprefix("/problems/")
