"""The route POST /stream/tickets: issue tickets for realtime streams."""

from __future__ import annotations

import msgspec
from fastapi import Request, Response

from rest.authentication import Viewer
from rest.openapi import answers
from rest.route_problems import takes_key
from rest.routing import SignedIn, router
from rest.tickets import TICKET_S

from ..deciding import Answer, Decided, Decision
from .auth import UsingAccounts
from .executing import Executing

stream_tickets = router("Realtime")

# It appends nothing. It is executed as a command so that an Idempotency-Key works as for any other POST.
ISSUE_TICKET: Decision[Viewer, None] = Decision(
    entities=lambda viewer: (("personal", viewer.account),),
    questions=lambda viewer: (),
    state=lambda viewer, facts: None,
    decide=lambda viewer, state: (),
)


class Ticket(msgspec.Struct, frozen=True):
    """A ticket that opens a stream within `expires_in` seconds."""

    ticket: str
    """Send it as `?ticket=`."""
    expires_in: int
    """Seconds until the ticket expires."""


@stream_tickets.post("/stream/tickets", status_code=201, response_model=None)
@answers(Ticket, 201)
@takes_key
async def issue_stream_ticket(
    request: Request, viewer: SignedIn, executing: Executing, accounts: UsingAccounts
) -> Response:
    """Get a ticket for `/stream` or `/ws`, for browsers, which cannot send `Authorization` there."""

    def accepted(state: None, decided: Decided) -> Answer:
        ticket = Ticket(accounts.tickets.issue(viewer), TICKET_S)
        return Answer(201, msgspec.json.encode(ticket), (("content-type", "application/json"),))

    context = executing.context(viewer.account, await request.body())
    return executing.response(await executing.execute(ISSUE_TICKET, viewer, context, accepted))
