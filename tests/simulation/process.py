"""One life of the serving process, from opening its files to its crash, and a client that speaks to it without a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import FastAPI

from command_api.routes.executing import Commands, Limits
from command_api.routes.graph import graph
from command_api.routes import problems as problems
from command_api.routes.notifications import notifications
from command_api.routes.tweets import POST_PATH, hot_post, tweets
from events.ids import AccountId, SessionId
from query_api.serving import Queries
from rest.authentication import Viewer
from rest.edge import API, Edge
from rest.rate_limits import Policy, RateLimits
from rest.signing import ConsistencyTokens, Cursors
from runtime.embedded.system import InProcess, System
from runtime.settings import Settings

from .faults import Clock, Deliveries, Faults

ENDLESS = Policy("sim", 1_000_000_000, 1, 1_000_000_000)
PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client was told."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body."""
        return msgspec.json.decode(self.body)


class _Silence:
    def request(self, method: str, route: str, status: int, seconds: float) -> None: ...

    def fault(self, request_id: str, error: BaseException) -> None:
        raise error


class Process:
    """The whole system in this process: both APIs, the command side, and what advances the views."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        faults: Faults,
        randomness: Callable[[int], bytes],
        order: list[str],
    ) -> None:
        settings = Settings(data=directory, partitions=PARTITIONS, bcrypt_cost=4)
        self.faults = faults
        self.system = System(
            settings, clock=clock, randomness=randomness, off_loop=faults.off_loop, timer=lambda: 0.0
        )
        self.tokens = ConsistencyTokens(self.system.token_key)
        self.order = order
        self._instrument_store()

    @classmethod
    async def start(
        cls,
        directory: Path,
        clock: Clock,
        faults: Faults,
        chance: Random,
        randomness: Callable[[int], bytes],
        order: list[str],
    ) -> Process:
        """Open the files and begin to serve. The requests that reach the command side are noted in `order`."""
        self = cls(directory, clock, faults, randomness, order)
        self.views = await InProcess.open(self.system)
        projecting = self.views.projecting
        deliveries = Deliveries(projecting._log, faults, chance)  # type: ignore[arg-type]
        projecting._log = deliveries
        for runner in projecting._runners.values():
            runner.log = deliveries
        self.app = self._application()
        return self

    def _instrument_store(self) -> None:
        execute = self.system.commands.execute

        async def recorded(decision: Any, command: Any, context: Any, answering: Any) -> Any:
            self.order.append(context.correlation)
            self.faults.step()
            return await execute(decision, command, context, answering)

        self.system.commands.execute = recorded  # type: ignore[method-assign]

    def _application(self) -> Any:
        system = self.system
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        limits = RateLimits(system.clock)
        unlimited = (ENDLESS,)
        commands = Commands(
            store=system.commands,
            ids=system.ids,
            tokens=self.tokens,
            limits=limits,
            policies=Limits(unlimited, unlimited, unlimited),
            edit_window_ms=1_800_000,
            most_bytes=65536,
        )
        app.state.commands = commands
        app.state.queries = Queries(lambda: system.readers, Cursors(system.token_key), system.clock)
        for routes in (tweets, graph, notifications):
            app.include_router(routes, prefix=API)
        hot = (POST_PATH, hot_post(commands))
        return Edge(
            app,
            match=lambda method, path, *_: hot if (method, path) == ("POST", POST_PATH) else None,
            new_id=system.ids.issue,
            authenticate=_by_name,
            applied=system.applied,
            tokens=self.tokens,
            limits=limits,
            anonymous_reads=ENDLESS,
            telemetry=_Silence(),
            address_of=lambda scope, headers: "",
            most_bytes=65536,
        )

    async def request(
        self,
        method: str,
        target: str,
        *,
        actor: str | None = None,
        body: object = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Answer:
        """Send a request and get its answer, if the process lives to give it. Raises Crash."""
        self.faults.step()
        parts = urlsplit(API + target)
        raw = b"" if body is None else msgspec.json.encode(body)
        sent = [(name.encode(), value.encode()) for name, value in headers]
        if actor is not None:
            sent.append((b"authorization", actor.encode()))
        if body is not None:
            sent += [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": sent,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        self.faults.step()
        received = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
        return Answer(messages[0]["status"], received, b"".join(m.get("body", b"") for m in messages[1:]))


def _by_name(header: bytes) -> Viewer:
    """Who asks is said outright: signing in has tests of its own."""
    return Viewer(AccountId(header.decode()), SessionId("simulated"), "user")
