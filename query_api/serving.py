"""What the routes of the query API work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from events.ids import AccountId, Millis
from rest.authentication import Viewer
from rest.routing import inline
from rest.signing import Cursors
from stores.readers import READ_PORTS, Readers

from .rankings import Rankings

F = TypeVar("F", bound=Callable[..., Any])
PEOPLE = ("users", "counts", "graph")
"""The ports that a list of accounts is filled in from."""
ONE_TWEET = ("shown_tweets", "tweets", "graph")
"""The ports that a tweet is looked up in by its id: a tweet that is not shown may be deleted, or behind a block."""
ACTIVITIES = ("shown_tweets", "users", "graph")
"""The ports that tweets are filled in from together with accounts that acted on them."""


def reads(*ports: str) -> Callable[[F], F]:
    """Declare the read ports that a route asks: it waits for Consistency-Tokens, and is stale, as these are.

    Every GET of the API declares them; a test holds the declaration to what the route asks. Raises ValueError for a
    name that is no field of Readers.
    """
    if unknown := set(ports) - READ_PORTS:
        raise ValueError(f"there is no read port {', '.join(sorted(unknown))}")

    def mark(endpoint: F) -> F:
        endpoint.__dict__["reads"] = ports
        return endpoint

    return mark


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
