"""Signing in: a session begins for whoever gave the password that the account still has."""

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
"""Of one account: the oldest makes room for a new one."""


class NewSession(msgspec.Struct, frozen=True, gc=False):
    """A session about to begin, and where it begins."""

    session: SessionId
    token: RefreshToken
    user_agent: str = ""
    ip: str = ""


class StartSession(msgspec.Struct, frozen=True, gc=False):
    """`actor` signs in; `verified` is the hash that the given password fits."""

    actor: AccountId
    verified: bytes
    new: NewSession


class State(msgspec.Struct, frozen=True, gc=False):
    """The password of now, and the sessions there are, oldest first."""

    password: Password | None = None
    sessions: tuple[Session, ...] = ()


class WrongCredentials(Refused):
    """There is no account with this name or address and this password; which of them is wrong is not said."""

    def __init__(self) -> None:
        super().__init__("there is no account with this name or address and this password")


def decide(command: StartSession, state: State) -> Sequence[Event | PrivateChange]:
    """A session. Raises WrongCredentials where the password was changed since it was verified."""
    if state.password is None or state.password.hash != command.verified:
        raise WrongCredentials
    decided: list[Event | PrivateChange] = []
    for oldest in state.sessions[: max(0, len(state.sessions) + 1 - MOST_SESSIONS)]:
        decided += ended(oldest, "too_many")
    return [*decided, *started(command.actor, command.new)]


def started(account: AccountId, new: NewSession) -> tuple[Event | PrivateChange, ...]:
    """What the beginning of a session consists of."""
    return (
        SessionStarted(owner=account, session=new.session, user_agent=new.user_agent, ip=new.ip),
        KeepRefreshToken(new.session, account, new.token),
    )


def ended(session: Session, reason: str) -> tuple[Event | PrivateChange, ...]:
    """What the end of a session consists of; the reasons are listed at SessionEnded."""
    return (
        SessionEnded(owner=session.account, session=session.id, reason=reason),
        RevokeSession(session.id),
    )


def entities(command: StartSession) -> tuple[Entity, ...]:
    """The account's personal matters."""
    return (("personal", command.actor),)


def questions(command: StartSession) -> tuple[Question[Any], ...]:
    """The password, and the sessions there are."""
    return (PasswordOf(command.actor), SessionsOf(command.actor))


def state(command: StartSession, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[PasswordOf(command.actor)], facts[SessionsOf(command.actor)])


START_SESSION = Decision(entities, questions, state, decide)
