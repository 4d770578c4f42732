"""One life of the serving process, from opening its files to its crash, and a client of it that needs no network."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from command_api.signing_keys import SigningKeys
from events.ids import AccountId, HybridClock, SessionId
from rest.admission import API
from rest.authentication import Viewer
from rest.signing import ConsistencyTokens
from runtime.embedded.composition import Composition
from runtime.embedded.system import InProcess, System
from runtime.rebuild_progress import RebuildProgress
from runtime.settings import RateLimitSettings, Settings
from tests.unhurried import UNHURRIED

from .faults import Clock, Deliveries, Faults
from .laws import Violation, require

PARTITIONS = 4
_MANY = 1_000_000_000
UNLIMITED = RateLimitSettings(
    **UNHURRIED, tweets_a_day=_MANY, tweets_a_second=_MANY, tweets_burst=_MANY, follows_a_day=_MANY
)


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
    def request(
        self, request_id: str, method: str, route: str, status: int, seconds: float, path: str = ""
    ) -> None: ...

    def stale(self, why: str) -> None:
        pass

    def fault(self, request_id: str, error: BaseException) -> None:
        raise Violation(f"a request failed by a fault: {error!r}") from error


class Process:
    """The whole system in this process: both APIs, the command side, and what advances the views."""

    deliveries: Deliveries

    def __init__(self, system: System, views: InProcess, faults: Faults) -> None:
        self.system = system
        self.views = views
        self.faults = faults
        self.tokens = ConsistencyTokens(system.token_key)
        self.app = _on_shared_routes(Composition(system, parts=list, telemetry=_Silence()).application)

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
        settings = Settings(data=directory, partitions=PARTITIONS, rate_limits=UNLIMITED)
        system = System(settings, clock=clock, randomness=randomness, off_loop=faults.off_loop, timer=lambda: 0.0)
        system.__dict__["signing_keys"] = _signing_keys()
        execute, execute_some = system.commands.execute, system.commands.execute_some

        async def noted(decision: Any, command: Any, context: Any, answering: Any) -> Any:
            order.append(context.correlation)
            faults.step()
            return await execute(decision, command, context, answering)

        async def some_noted(commands: Any, answering: Any, in_time: Any) -> Any:
            order.extend(context.correlation for _, _, context in commands)
            faults.step()
            return await execute_some(commands, answering, in_time)

        system.commands.execute = noted  # type: ignore[method-assign]
        system.commands.execute_some = some_noted  # type: ignore[method-assign]
        views = await InProcess.open(system)
        projecting = views.projecting
        deliveries = Deliveries(projecting._log, faults, chance)  # type: ignore[arg-type]
        projecting._log = deliveries
        projecting.on_progress = _compared
        for runner in projecting._runners.values():
            runner.log = deliveries
        self = cls(system, views, faults)
        self.deliveries = deliveries
        return self

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
        sent = [(b"host", b"simulated"), *((name.encode(), value.encode()) for name, value in headers)]
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
            "path": unquote(parts.path),
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


def _compared(progress: RebuildProgress) -> None:
    """A rebuilt read model is the one that it replaces."""
    differing = [compared.model for compared in progress.compared if compared.same is False]
    require(not differing, f"rebuilt beside the live ones, {differing} differ from them")


@cache
def _signing_keys() -> SigningKeys:
    """Access tokens are not used here, and a key takes long to make: one is enough for all processes."""
    with tempfile.TemporaryDirectory() as directory:
        return SigningKeys(Path(directory), HybridClock(), 0)


_shared: list[Any] = []


def _on_shared_routes(edge: Any) -> Any:
    """The application on the routes of the first process: FastAPI takes 100 ms to build them, and they keep nothing."""
    _shared.append(edge._app)
    _shared[0].state = edge._app.state
    edge._app = _shared[0]
    del _shared[1:]
    edge._authenticate = _by_name
    return edge


def _by_name(header: bytes) -> Viewer:
    """Who asks is said outright: signing in has tests of its own."""
    return Viewer(AccountId(header.decode()), SessionId("simulated"), "user")
