"""The dependencies of the query API's routes."""

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
"""The read ports that a list of accounts needs."""
ONE_TWEET = ("shown_tweets", "tweets", "graph")
"""The read ports for one tweet by its id: if it is not shown, it may be deleted or behind a block."""
ACTIVITIES = ("shown_tweets", "users", "graph")
"""The read ports for tweets together with the accounts that posted or retweeted them."""


def reads(*ports: str) -> Callable[[F], F]:
    """Declare the read ports that a route uses: it waits for Consistency-Tokens as these do, and is stale if they are.

    Every GET of the API declares them; a test compares the declaration with the calls. Raises ValueError for a name
    that is not a field of Readers.
    """
    if unknown := set(ports) - READ_PORTS:
        raise ValueError(f"there is no read port {', '.join(sorted(unknown))}")

    def mark(endpoint: F) -> F:
        endpoint.__dict__["reads"] = ports
        return endpoint

    return mark


@dataclass(frozen=True, slots=True)
class Queries:
    """The application's query side. `readers` returns the current bundle; call it once per request.

    `link` returns a signed address of an object in the store. It is valid for at least an hour from the given time.
    """

    readers: Callable[[], Readers]
    cursors: Cursors
    now: Callable[[], Millis]
    rankings: Rankings
    link: Callable[[str, Millis], str]


def queries_of(connection: HTTPConnection) -> Queries:
    """Return the application's query side (a FastAPI dependency)."""
    return cast(Queries, connection.app.state.queries)


def readers_of(connection: HTTPConnection) -> Readers:
    """Return the current readers (a FastAPI dependency)."""
    return queries_of(connection).readers()


def account_of(viewer: Viewer | None) -> AccountId | None:
    """Return the viewer's account; None if the viewer is not signed in."""
    return None if viewer is None else viewer.account


Querying = Annotated[Queries, Depends(inline(queries_of))]
Reading = Annotated[Readers, Depends(inline(readers_of))]
