"""Changing the password: whoever knows the present one sets another, and every other session ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.accounts import PasswordChanged
from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId, SessionId

from ..credentials import Password, PasswordOf, SetPassword
from ..deciding import Decision, PrivateChange, Refused
from ..facts import Facts, Question, Session, SessionsOf
from .start_session import ended


class ChangePassword(msgspec.Struct, frozen=True, gc=False):
    """`actor` sets a password in `session`; `verified` is the hash that the present password was found to fit."""

    actor: AccountId
    session: SessionId
    verified: bytes
    password: bytes
    """The new one's bcrypt hash; it is checked already (passwords.py)."""


class State(msgspec.Struct, frozen=True, gc=False):
    """The password of now, and the sessions there are."""

    password: Password | None = None
    sessions: tuple[Session, ...] = ()


class WrongPassword(Refused):
    """The present password is another."""

    def __init__(self) -> None:
        super().__init__("the current password is another")


def decide(command: ChangePassword, state: State) -> Sequence[Event | PrivateChange]:
    """The new password, and the end of every other session. Raises WrongPassword where it was changed meanwhile."""
    if state.password is None or state.password.hash != command.verified:
        raise WrongPassword
    decided: list[Event | PrivateChange] = [
        PasswordChanged(account=command.actor),
        SetPassword(command.actor, command.password),
    ]
    for session in state.sessions:
        if session.id != command.session:
            decided += ended(session, "password_changed")
    return decided


def entities(command: ChangePassword) -> tuple[Entity, ...]:
    """The account, and its personal matters."""
    return (("accounts", command.actor), ("personal", command.actor))


def questions(command: ChangePassword) -> tuple[Question[Any], ...]:
    """The password, and the sessions there are."""
    return (PasswordOf(command.actor), SessionsOf(command.actor))


def state(command: ChangePassword, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[PasswordOf(command.actor)], facts[SessionsOf(command.actor)])


CHANGE_PASSWORD = Decision(entities, questions, state, decide)
