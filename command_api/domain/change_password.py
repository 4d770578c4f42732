"""Changing the password: the current password is verified first, and every other session ends."""

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
    """`actor` changes its password in `session`; `verified` is the hash that the given current password matched."""

    actor: AccountId
    session: SessionId
    verified: bytes
    password: bytes
    """The bcrypt hash of the new password, which passwords.py has checked."""


class State(msgspec.Struct, frozen=True, gc=False):
    """The current password and the open sessions."""

    password: Password | None = None
    sessions: tuple[Session, ...] = ()


class WrongPassword(Refused):
    """The given current password is wrong, or was changed by another request."""

    def __init__(self) -> None:
        super().__init__("the current password is another")


def decide(command: ChangePassword, state: State) -> Sequence[Event | PrivateChange]:
    """Set the new password and end every other session.

    Raises WrongPassword if the password was changed after it was verified.
    """
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
    """Lock the account and its personal entity, which holds its sessions."""
    return (("accounts", command.actor), ("personal", command.actor))


def questions(command: ChangePassword) -> tuple[Question[Any], ...]:
    """Ask for the current password and the open sessions."""
    return (PasswordOf(command.actor), SessionsOf(command.actor))


def state(command: ChangePassword, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[PasswordOf(command.actor)], facts[SessionsOf(command.actor)])


CHANGE_PASSWORD = Decision(entities, questions, state, decide)
