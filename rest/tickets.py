"""Tickets: credentials in a URL for a browser's EventSource and WebSocket, which cannot send an access token in a
header.

URLs end up in logs and histories, so a ticket is valid for a minute, opens only streams, and ends with its session.
"""

from __future__ import annotations

from events.ids import AccountId, Clock, SessionId

from .authentication import TokenRefused, Viewer
from .revocations import Revocations
from .roles import Roles
from .signing import Signer

TICKET_S = 60


class Tickets:
    """Issues and redeems tickets, signed with a keyed BLAKE2b; 2-4 us."""

    def __init__(self, key: bytes, revocations: Revocations, roles: Roles, clock: Clock) -> None:
        self._signer = Signer(key, "stream-ticket")
        self._revocations = revocations
        self._roles = roles
        self._clock = clock

    def issue(self, viewer: Viewer) -> str:
        """Return a ticket for a signed-in viewer. It is URL-safe, and valid for TICKET_S seconds and any number of
        uses.
        """
        expires_at = self._clock() + TICKET_S * 1000
        return self._signer.sign(f"{expires_at} {viewer.account} {viewer.session}")

    def redeem(self, ticket: str) -> Viewer:
        """Return the viewer of a ticket. Raises TokenRefused."""
        text = self._signer.open(ticket)
        if text is None:
            raise TokenRefused("this is not a valid ticket")
        expires_at, account, session, *_ = text.split(" ")  # earlier versions added the role
        if self._clock() >= int(expires_at):
            raise TokenRefused("the ticket has expired")
        if self._revocations.is_revoked(SessionId(session)):
            raise TokenRefused("the session has ended")
        return Viewer(AccountId(account), SessionId(session), self._roles.of(AccountId(account)))
