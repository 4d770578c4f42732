"""Tickets for realtime streams: POST /stream/tickets."""

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

# It decides nothing: it is executed so that an Idempotency-Key holds for it as for any other POST.
ISSUE_TICKET: Decision[Viewer, None] = Decision(
    entities=lambda viewer: (("personal", viewer.account),),
    questions=lambda viewer: (),
    state=lambda viewer, facts: None,
    decide=lambda viewer, state: (),
)


class Ticket(msgspec.Struct, frozen=True):
    """A ticket, good for `expires_in` seconds, to be shown as `?ticket=`."""

    ticket: str
    """Send it as `?ticket=`."""
    expires_in: int
    """For how many seconds it is good."""


@stream_tickets.post("/stream/tickets", status_code=201, response_model=None)
@answers(Ticket, 201)
@takes_key
async def issue_stream_ticket(
    request: Request, viewer: SignedIn, executing: Executing, accounts: UsingAccounts
) -> Response:
    """Get a ticket for `/stream` or `/ws`, for browsers, whose streams can send no `Authorization`."""

    def accepted(state: None, decided: Decided) -> Answer:
        ticket = Ticket(accounts.tickets.issue(viewer), TICKET_S)
        return Answer(201, msgspec.json.encode(ticket), (("content-type", "application/json"),))

    context = executing.context(viewer.account, await request.body())
    return executing.response(await executing.execute(ISSUE_TICKET, viewer, context, accepted))
