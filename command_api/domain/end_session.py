"""Ending one session: it signs out, another session of the account ends it, or it has expired."""

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
    """End `session` of `actor`; SessionEnded lists the reasons."""

    actor: AccountId
    session: SessionId
    reason: str


class State(msgspec.Struct, frozen=True, gc=False):
    """The open sessions of the account."""

    sessions: tuple[Session, ...] = ()


class SessionNotFound(Refused):
    """The account has no open session with this id."""

    def __init__(self, session: str) -> None:
        super().__init__(f"you have no session {session}")


def decide(command: EndSession, state: State) -> Sequence[Event | PrivateChange]:
    """End the session. Raises SessionNotFound."""
    for session in state.sessions:
        if session.id == command.session:
            return ended(session, command.reason)
    raise SessionNotFound(command.session)


def entities(command: EndSession) -> tuple[Entity, ...]:
    """Lock the account's personal entity, which holds its sessions."""
    return (("personal", command.actor),)


def questions(command: EndSession) -> tuple[Question[Any], ...]:
    """Ask for the open sessions of the account."""
    return (SessionsOf(command.actor),)


def state(command: EndSession, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[SessionsOf(command.actor)])


END_SESSION = Decision(entities, questions, state, decide)
