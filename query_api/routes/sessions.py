"""The sessions of your account: GET /auth/sessions."""

from __future__ import annotations

import msgspec
from fastapi import Request, Response

from rest import resources
from rest.openapi import answers
from rest.routing import Page, Paged, SignedIn, page_response, router
from rest.times import rfc3339

from ..serving import Querying, Reading, reads

sessions = router("Accounts")


class Session(msgspec.Struct, frozen=True):
    """One session of your account. `current` marks the session of this request."""

    id: resources.Id
    """The id of the session: an opaque text that sorts by time."""
    started_at: resources.Time
    """When it began."""
    user_agent: str
    """The client's User-Agent header."""
    ip: str
    """The IP address from which the session was started."""
    current: bool
    """Whether this request belongs to the session."""


@sessions.get("/auth/sessions", response_model=None)
@answers(Page[Session])
@reads("sessions")
async def get_sessions(
    request: Request, viewer: SignedIn, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List your sessions, newest first."""
    of = f"sessions {viewer.account}"
    found = await readers.sessions.of(viewer.account, page.after(queries.cursors, of), page.limit)
    items = [
        Session(one.session, rfc3339(one.started_at), one.user_agent, one.ip, one.session == viewer.session)
        for one in found.items
    ]
    return page_response(request, items, queries.cursors, of, found.next)
