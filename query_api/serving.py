"""What the routes of the query API work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from events.ids import AccountId, Millis
from rest.authentication import Viewer
from rest.exchange import Reads
from rest.routing import inline
from rest.signing import Cursors
from stores.readers import Readers

from .rankings import Rankings

F = TypeVar("F", bound=Callable[..., Any])
Port = Literal[
    "conversations",
    "counts",
    "engagement",
    "graph",
    "hashtag_search",
    "hashtags",
    "home_feed",
    "media",
    "notifications",
    "public_timeline",
    "recommendations",
    "search",
    "sentiment",
    "sessions",
    "shown_tweets",
    "trends",
    "tweets",
    "user_search",
    "user_timelines",
    "users",
]
"""A field of Readers."""
PEOPLE: tuple[Port, ...] = ("users", "counts", "graph")
"""What a list of accounts is filled in from,"""
SHOWN: tuple[Port, ...] = ("shown_tweets", "users", "graph")
"""and a list of tweets."""


def reads(*ports: Port) -> Callable[[F], F]:
    """Say what a route reads from: it waits for Consistency-Tokens, and is stale, as these are.

    Every GET of the API says so; a test holds what it says to what it asks.
    """

    def mark(endpoint: F) -> F:
        endpoint.__dict__["reads"] = ports
        return endpoint

    return mark


def reads_of(endpoint: Callable[..., Any]) -> Reads:
    """What a route said that it reads from."""
    found: Reads = endpoint.__dict__["reads"]
    return found


@dataclass(frozen=True, slots=True)
class Queries:
    """The application's query side. `readers` gives the current bundle; take it once a request.

    `link` makes a signed address of an object in the store, good from a moment on for an hour at least.
    """

    readers: Callable[[], Readers]
    cursors: Cursors
    now: Callable[[], Millis]
    rankings: Rankings
    link: Callable[[str, Millis], str]


def queries_of(connection: HTTPConnection) -> Queries:
    """What the application was built with (a FastAPI dependency)."""
    return cast(Queries, connection.app.state.queries)


def readers_of(connection: HTTPConnection) -> Readers:
    """The current readers (a FastAPI dependency)."""
    return queries_of(connection).readers()


def account_of(viewer: Viewer | None) -> AccountId | None:
    """Who asks, by account; None for someone who is not signed in."""
    return None if viewer is None else viewer.account


Querying = Annotated[Queries, Depends(inline(queries_of))]
Reading = Annotated[Readers, Depends(inline(readers_of))]
