"""Signing in: a session starts if the verified password is still the password of the account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId, SessionId
from events.personal import SessionEnded, SessionStarted

from ..credentials import KeepRefreshToken, Password, PasswordOf, RefreshToken, RevokeSession
from ..deciding import Decision, PrivateChange, Refused
from ..facts import Facts, Question, Session, SessionsOf

MOST_SESSIONS = 100
"""How many sessions an account can have; a new one ends the oldest."""


class NewSession(msgspec.Struct, frozen=True, gc=False):
    """A session to start: its id and refresh token, and the user agent and IP address of the client."""

    session: SessionId
    token: RefreshToken
    user_agent: str = ""
    ip: str = ""


class StartSession(msgspec.Struct, frozen=True, gc=False):
    """`actor` signs in; `verified` is the hash that the given password matched."""

    actor: AccountId
    verified: bytes
    new: NewSession


class State(msgspec.Struct, frozen=True, gc=False):
    """The current password, and the open sessions, oldest first."""

    password: Password | None = None
    sessions: tuple[Session, ...] = ()


class WrongCredentials(Refused):
    """No account has this name or address with this password; the message does not say which is wrong."""

    def __init__(self) -> None:
        super().__init__("there is no account with this name or address and this password")


def decide(command: StartSession, state: State) -> Sequence[Event | PrivateChange]:
    """Start a session. Raises WrongCredentials if the password was changed after it was verified."""
    if state.password is None or state.password.hash != command.verified:
        raise WrongCredentials
    decided: list[Event | PrivateChange] = []
    for oldest in state.sessions[: max(0, len(state.sessions) + 1 - MOST_SESSIONS)]:
        decided += ended(oldest, "too_many")
    return [*decided, *started(command.actor, command.new)]


def started(account: AccountId, new: NewSession) -> tuple[Event | PrivateChange, ...]:
    """Return the event and the private change that start a session."""
    return (
        SessionStarted(owner=account, session=new.session, user_agent=new.user_agent, ip=new.ip),
        KeepRefreshToken(new.session, account, new.token),
    )


def ended(session: Session, reason: str) -> tuple[Event | PrivateChange, ...]:
    """Return the event and the private change that end a session; SessionEnded lists the reasons."""
    return (
        SessionEnded(owner=session.account, session=session.id, reason=reason),
        RevokeSession(session.id),
    )


def entities(command: StartSession) -> tuple[Entity, ...]:
    """Lock the account's personal entity, which holds its sessions."""
    return (("personal", command.actor),)


def questions(command: StartSession) -> tuple[Question[Any], ...]:
    """Ask for the current password and the open sessions."""
    return (PasswordOf(command.actor), SessionsOf(command.actor))


def state(command: StartSession, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[PasswordOf(command.actor)], facts[SessionsOf(command.actor)])


START_SESSION = Decision(entities, questions, state, decide)
