"""Signing out: one session of an account ends, by its own wish, from another one, or because it expired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId, SessionId

from ..deciding import Decision, PrivateChange, Refused
from ..facts import Facts, Question, Session, SessionsOf
from .start_session import ended


class EndSession(msgspec.Struct, frozen=True, gc=False):
    """`session` of `actor` ends; the reasons are listed at SessionEnded."""

    actor: AccountId
    session: SessionId
    reason: str


class State(msgspec.Struct, frozen=True, gc=False):
    """The sessions of the account."""

    sessions: tuple[Session, ...] = ()


class SessionNotFound(Refused):
    """The account has no such session, or it has ended."""

    def __init__(self, session: str) -> None:
        super().__init__(f"you have no session {session}")


def decide(command: EndSession, state: State) -> Sequence[Event | PrivateChange]:
    """The end. Raises SessionNotFound."""
    for session in state.sessions:
        if session.id == command.session:
            return ended(session, command.reason)
    raise SessionNotFound(command.session)


def entities(command: EndSession) -> tuple[Entity, ...]:
    """The account's personal matters."""
    return (("personal", command.actor),)


def questions(command: EndSession) -> tuple[Question[Any], ...]:
    """The sessions of the account."""
    return (SessionsOf(command.actor),)


def state(command: EndSession, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[SessionsOf(command.actor)])


END_SESSION = Decision(entities, questions, state, decide)
