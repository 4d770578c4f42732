"""The ASGI application of a process: the routers of both APIs, behind one edge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from math import inf
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from command_api.routes.auth import Accounts
from command_api.routes.executing import Commands
from command_api.routes.media import Uploads
from command_api.routes.tweets import POST_PATH, hot_post
from events.ids import Clock, HybridClock, Randomness
from query_api.routes.hot import FEED_PATH, PLAIN_FEED, TWEET_PATH, hot_feed, hot_tweet
from rest.addresses import address_reader
from rest.authentication import Viewer
from rest.edge import AppliedPositions, Edge, Hot, Match, Telemetry, reply_of
from rest.exchange import exchange_of
from rest.openapi import document, routed
from rest.problems import ProblemError
from rest.rate_limits import RateLimits
from rest.routing import attach
from rest.signing import ConsistencyTokens

from . import metrics
from .client_limits import admission, bodies
from .documentation import documentation
from .front_page import front_page
from .operations import operations
from .query_side import QuerySide
from .readiness import Parts
from .settings import Settings
from .telemetry import RequestTelemetry

DESCRIPTION = (
    "An event-sourced microblogging backend. Everything but GET is served by the command API, GET by the query API. "
    "Errors are RFC 9457 problems; every write answers with a Consistency-Token that a read may send to see it."
)
_READ = TWEET_PATH + "{id}"
_EXPOSED = [
    "Consistency",
    "Consistency-Token",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
]
_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CommandSide:
    """The dependencies of the command API's routes."""

    commands: Commands
    accounts: Accounts
    uploads: Uploads


def build_app(
    settings: Settings,
    *routers: APIRouter,
    roles: Collection[str],
    parts: Parts,
    clock: Clock,
    randomness: Randomness,
    authenticate: Callable[[bytes], Viewer],
    shared_limits: RateLimits,
    own_limits: RateLimits,
    applied: AppliedPositions,
    tokens: ConsistencyTokens,
    command: CommandSide | None = None,
    query: QuerySide | None = None,
    longer: Mapping[str, int] = _NONE,
    telemetry: Telemetry | None = None,
) -> ASGIApp:
    """Build the ASGI application of a process with `roles` (metrics.py). The two sides hold the dependencies of its
    routers.

    `longer` are the paths that accept longer bodies. `shared_limits` are rate limits that all processes share. Without
    `telemetry`, requests are only counted and faults only logged.
    """
    named = version("minitwitter")
    app = FastAPI(title="MiniTwitter", version=named, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.redirect_slashes = False
    if command is not None:
        app.state.commands = command.commands
        app.state.accounts = command.accounts
        app.state.uploads = command.uploads
    if query is not None:
        app.state.queries = query.queries
        app.state.streams = query.streams
    attach(app, (*routers, front_page(named), operations(parts, metrics.registry(*roles))))
    described: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        if not described:
            described.append(document(app, DESCRIPTION))
        return described[0]

    documentation(app, openapi)
    app.add_exception_handler(HTTPException, not_routed(app))
    edge = Edge(
        app,
        match=matcher(command, query),
        # Request ids come from a clock of their own, because they must not change the ids in the log (law 10). They
        # only have to be unique, so a wall clock that was set back does not matter.
        new_id=HybridClock(clock, randomness, drift_ms=inf).issue,
        authenticate=authenticate,
        applied=applied,
        tokens=tokens,
        admission=admission(settings, shared=shared_limits, own=own_limits),
        bodies=bodies(settings, longer),
        telemetry=telemetry if telemetry is not None else RequestTelemetry(),
        address_of=address_reader(settings.trusted_proxies),
        wait_s=settings.consistency_wait_ms / 1000,
    )
    if not settings.cors_origins:
        return edge
    return CORSMiddleware(
        edge,
        allow_origins=list(settings.cors_origins),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=_EXPOSED,
        max_age=600,
    )


def matcher(command: CommandSide | None, query_side: QuerySide | None) -> Match:
    """Return the function that finds the requests handled without FastAPI: posting a tweet, reading one, the feed's
    first page.
    """
    post = None if command is None else hot_post(command.commands)
    feed = None if query_side is None else hot_feed(query_side.queries)
    read = None if query_side is None else hot_tweet(query_side.queries)
    start = len(TWEET_PATH)
    length = start + 36

    def match(method: str, path: str, query: bytes) -> tuple[str, Hot] | None:
        if method == "GET":
            if path == FEED_PATH:
                return (FEED_PATH, feed) if feed is not None and PLAIN_FEED.fullmatch(query) else None
            if read is not None and len(path) == length and not query and path.startswith(TWEET_PATH):
                return (_READ, read) if path.find("/", start) < 0 else None
        elif method == "POST" and path == POST_PATH and not query and post is not None:
            return POST_PATH, post
        return None

    return match


def not_routed(app: FastAPI) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Answer a request that no route matches: 405 with the allowed methods if the path is known, else 404."""
    routes = [(route.path_regex, route.methods or set()) for route in routed(app)]

    async def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.url.path
        matching = [(pattern, allowed) for pattern, allowed in routes if pattern.match(path)]
        exact = [allowed for pattern, allowed in matching if not pattern.groups]  # /users/me, not /users/{username}
        methods = {method for allowed in exact or [allowed for _, allowed in matching] for method in allowed}
        if "GET" in methods:
            methods.add("HEAD")
        if methods and request.method not in methods:
            allow = (("allow", ", ".join(sorted(methods))),)
            problem = ProblemError("method-not-allowed", f"{request.method} is not for {path}", headers=allow)
        else:
            problem = ProblemError("not-found", f"there is nothing at {path}")
        reply = reply_of(problem, error, exchange_of(request))
        response = Response(reply.body, reply.status)
        response.raw_headers += reply.headers
        return response

    return handler
