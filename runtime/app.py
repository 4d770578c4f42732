"""The application: both APIs behind one edge, as the server runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from command_api.routes.auth import Accounts
from command_api.routes.executing import Commands
from command_api.routes.media import Uploads
from command_api.routes.tweets import POST_PATH, hot_post
from query_api.routes.hot import FEED_PATH, PLAIN_FEED, TWEET_PATH, hot_feed, hot_tweet
from query_api.routes.stream import Streams
from query_api.serving import Queries
from rest.addresses import address_reader
from rest.admission import Admission
from rest.authentication import Viewer
from rest.bodies import Bodies
from rest.edge import Applied, Edge, Hot, Match, Telemetry, reply_of
from rest.exchange import exchange_of
from rest.openapi import document, routed
from rest.problems import ProblemError
from rest.routing import attach
from rest.signing import ConsistencyTokens

from .documentation import documentation
from .front_page import front_page
from .operations import operations
from .readiness import Parts

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


@dataclass(frozen=True, slots=True)
class CommandSide:
    """What the routes of the command API work with."""

    commands: Commands
    accounts: Accounts
    uploads: Uploads


@dataclass(frozen=True, slots=True)
class QuerySide:
    """What the routes of the query API work with."""

    queries: Queries
    streams: Streams


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything that the application is built from; a process that serves only one side has None for the other."""

    version: str
    command: CommandSide | None
    query: QuerySide | None
    routers: Sequence[APIRouter]
    admission: Admission
    bodies: Bodies
    authenticate: Callable[[bytes], Viewer]
    new_id: Callable[[], str]
    applied: Applied
    tokens: ConsistencyTokens
    telemetry: Telemetry
    registry: CollectorRegistry
    parts: Parts
    cors_origins: Sequence[str]
    trusted_proxies: Sequence[str]
    wait_s: float


def build_app(parameters: Parameters) -> ASGIApp:
    """The ASGI application."""
    app = FastAPI(title="MiniTwitter", version=parameters.version, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.redirect_slashes = False
    if parameters.command is not None:
        app.state.commands = parameters.command.commands
        app.state.accounts = parameters.command.accounts
        app.state.uploads = parameters.command.uploads
    if parameters.query is not None:
        app.state.queries = parameters.query.queries
        app.state.streams = parameters.query.streams
    operating = operations(parameters.parts, parameters.registry)
    attach(app, (*parameters.routers, front_page(parameters.version), operating))
    described: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        if not described:
            described.append(document(app, DESCRIPTION))
        return described[0]

    documentation(app, openapi)
    app.add_exception_handler(HTTPException, not_routed(app))
    edge = Edge(
        app,
        match=matcher(parameters),
        new_id=parameters.new_id,
        authenticate=parameters.authenticate,
        applied=parameters.applied,
        tokens=parameters.tokens,
        admission=parameters.admission,
        bodies=parameters.bodies,
        telemetry=parameters.telemetry,
        address_of=address_reader(parameters.trusted_proxies),
        wait_s=parameters.wait_s,
    )
    if not parameters.cors_origins:
        return edge
    return CORSMiddleware(
        edge,
        allow_origins=list(parameters.cors_origins),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=_EXPOSED,
        max_age=600,
    )


def matcher(parameters: Parameters) -> Match:
    """Which requests go below FastAPI: posting a tweet, reading one, and the first page of the feed."""
    command, query_side = parameters.command, parameters.query
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
    """What is answered where no route fits: 405 with all methods that the path has, or 404."""
    routes = [(route.path_regex, route.methods or set()) for route in routed(app)]

    async def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.url.path
        matching = [(pattern, allowed) for pattern, allowed in routes if pattern.match(path)]
        exact = [allowed for pattern, allowed in matching if not pattern.groups]  # words, which are no id of anything
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
