"""Signing out everywhere: every session of an account ends, the one that asks among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId

from ..deciding import Decision, PrivateChange
from ..facts import Facts, Question, Session, SessionsOf
from .start_session import ended


class EndAllSessions(msgspec.Struct, frozen=True, gc=False):
    """`actor` signs out everywhere."""

    actor: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """The sessions of the account."""

    sessions: tuple[Session, ...] = ()


def decide(command: EndAllSessions, state: State) -> Sequence[Event | PrivateChange]:
    """The end of each; nothing where there is none."""
    return [item for session in state.sessions for item in ended(session, "logout_all")]


def entities(command: EndAllSessions) -> tuple[Entity, ...]:
    """The account's personal matters."""
    return (("personal", command.actor),)


def questions(command: EndAllSessions) -> tuple[Question[Any], ...]:
    """The sessions of the account."""
    return (SessionsOf(command.actor),)


def state(command: EndAllSessions, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[SessionsOf(command.actor)])


END_ALL_SESSIONS = Decision(entities, questions, state, decide)
