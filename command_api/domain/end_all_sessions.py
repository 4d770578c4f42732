"""Signing out everywhere: every session of an account ends, including the one that sends the request."""

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
    """The open sessions of the account."""

    sessions: tuple[Session, ...] = ()


def decide(command: EndAllSessions, state: State) -> Sequence[Event | PrivateChange]:
    """End every session; return nothing if there is none."""
    return [item for session in state.sessions for item in ended(session, "logout_all")]


def entities(command: EndAllSessions) -> tuple[Entity, ...]:
    """Lock the account's personal entity, which holds its sessions."""
    return (("personal", command.actor),)


def questions(command: EndAllSessions) -> tuple[Question[Any], ...]:
    """Ask for the open sessions of the account."""
    return (SessionsOf(command.actor),)


def state(command: EndAllSessions, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[SessionsOf(command.actor)])


END_ALL_SESSIONS = Decision(entities, questions, state, decide)
