"""Refreshing: each refresh token can be used once; reusing a spent one ends its session (RFC 9700, 4.14.2).

The exception is the token spent last, for 10 seconds: two tabs refresh at the same moment, or a client repeats a
request whose answer was lost. The successor is derived from the token and a key of the server (command_api/tokens.py),
so the same successor can be sent again and no secret is stored. A thief gains nothing from this: as soon as the owner
or the thief refreshes with the successor, the other one's token is spent.
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
"""For how many milliseconds a spent token is still answered with the same successor."""


class RefreshSession(msgspec.Struct, frozen=True, gc=False):
    """A client uses a refresh token of `actor` at `now`; `secret` is the digest of the token's secret part.

    `next` is the successor of this token, in the same family; it is derived, so it is the same each time.
    """

    actor: AccountId
    secret: bytes
    next: RefreshToken
    now: Millis


class State(msgspec.Struct, frozen=True, gc=False):
    """The session of the token, or None if it has ended."""

    family: Family | None = None


class RefreshTokenRefused(Refused):
    """The refresh token is unknown, spent or expired; the message does not say which."""

    def __init__(self) -> None:
        super().__init__("this refresh token is not good, or no longer; sign in again")


def decide(command: RefreshSession, state: State) -> Sequence[Event | PrivateChange]:
    """Replace the token by the next one, or end the session if a spent token is used.

    Returns nothing if the same token was refreshed less than AGAIN_MS ago: its successor is the current token.
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
    """Whether this token was spent last, within AGAIN_MS, and its successor is the current token."""
    return (
        family.spent is not None
        and family.spent_at is not None
        and hmac.compare_digest(family.spent, command.secret)
        and hmac.compare_digest(family.token.secret, command.next.secret)
        and command.now - family.spent_at < AGAIN_MS
        and command.now < family.token.expires_at
    )


def entities(command: RefreshSession) -> tuple[Entity, ...]:
    """Lock the account's personal entity, which holds its sessions."""
    return (("personal", command.actor),)


def questions(command: RefreshSession) -> tuple[Question[Any], ...]:
    """Ask for the session of the token."""
    return (FamilyOf(command.next.family),)


def state(command: RefreshSession, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[FamilyOf(command.next.family)])


REFRESH_SESSION = Decision(entities, questions, state, decide)
