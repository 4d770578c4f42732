"""Refreshing: each refresh token is good once; one that comes back spent ends its session (RFC 9700, 4.14.2).

The exception is the token spent last, for 10 seconds: two tabs refresh at the same moment, or an answer is lost and the
request is sent again. Its successor is made out of the token itself and a key of the server (command_api/tokens.py), so
the same one can be answered again and no secret is kept. Who stole a token gains nothing: the owner's next refresh
with the successor, or the thief's, makes the other's token a spent one.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

import msgspec

from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId, Millis

from ..credentials import Family, FamilyOf, RefreshToken, ReplaceRefreshToken
from ..deciding import Decision, PrivateChange, Refused
from ..facts import Facts, Question, Session
from .start_session import ended

AGAIN_MS = 10_000
"""How long after it was spent a token is answered with the same successor."""


class RefreshSession(msgspec.Struct, frozen=True, gc=False):
    """A token of `actor` is shown at `now`; `secret` is the digest of its own part, `next` what it is changed for.

    `next` is the successor of the token that is shown: of its family, and the same each time it is made.
    """

    actor: AccountId
    secret: bytes
    next: RefreshToken
    now: Millis


class State(msgspec.Struct, frozen=True, gc=False):
    """The session that the token belongs to, if it has not ended."""

    family: Family | None = None


class RefreshTokenRefused(Refused):
    """The refresh token is unknown, spent or expired: sign in again. Which of these it was is not said."""

    def __init__(self) -> None:
        super().__init__("this refresh token is not good, or no longer; sign in again")


def decide(command: RefreshSession, state: State) -> Sequence[Event | PrivateChange]:
    """The next token; nothing, where it was given just now; or the end of the session, where a spent one came back.

    Raises RefreshTokenRefused.
    """
    family = state.family
    if family is None or family.account != command.actor:
        raise RefreshTokenRefused
    if not hmac.compare_digest(family.token.secret, command.secret):
        if _spent_just_now(command, family):
            return []
        return ended(Session(family.session, family.account), "token_reused")
    if family.token.expires_at <= command.now:
        raise RefreshTokenRefused
    return [ReplaceRefreshToken(family.session, command.next, command.secret, command.now)]


def _spent_just_now(command: RefreshSession, family: Family) -> bool:
    """Whether the token is the one spent last, and the one that is good now its successor."""
    return (
        family.spent is not None
        and family.spent_at is not None
        and hmac.compare_digest(family.spent, command.secret)
        and hmac.compare_digest(family.token.secret, command.next.secret)
        and command.now - family.spent_at < AGAIN_MS
        and command.now < family.token.expires_at
    )


def entities(command: RefreshSession) -> tuple[Entity, ...]:
    """The account's personal matters."""
    return (("personal", command.actor),)


def questions(command: RefreshSession) -> tuple[Question[Any], ...]:
    """The session that the token belongs to."""
    return (FamilyOf(command.next.family),)


def state(command: RefreshSession, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[FamilyOf(command.next.family)])


REFRESH_SESSION = Decision(entities, questions, state, decide)
