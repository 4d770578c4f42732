"""Registering: create an account with a unique name and e-mail address, and its first session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.accounts import AccountRegistered
from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId

from ..credentials import SetPassword
from ..deciding import Decision, PrivateChange, Refused
from ..facts import AccountNamed, EmailTaken, Facts, NumberTaken, Question
from .start_session import NewSession, started


class RegisterAccount(msgspec.Struct, frozen=True, gc=False):
    """Create `account`. Names and address are checked by names.py, the password by passwords.py."""

    account: AccountId
    username: str
    email: str
    display_name: str
    password: bytes
    """The bcrypt hash of the password."""
    session: NewSession


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether another account has the name, the address or the number."""

    name_taken: bool = False
    email_taken: bool = False
    number_taken: bool = False


class NameTaken(Refused):
    """Another account has this user name, ignoring case."""

    def __init__(self, username: str) -> None:
        super().__init__(f"another account is called {username}")


class EmailIsTaken(Refused):
    """Another account has this e-mail address, ignoring case."""

    def __init__(self) -> None:
        super().__init__("another account has this e-mail address")


class NumberIsTaken(Refused):
    """Another account has the number of this id; retry with a new id. The chance is accounts / 2**62."""


def decide(command: RegisterAccount, state: State) -> Sequence[Event | PrivateChange]:
    """Return the events of an account and a session. Raises NameTaken, EmailIsTaken, NumberIsTaken."""
    refuse_taken(command.username, name_taken=state.name_taken, email_taken=state.email_taken)
    if state.number_taken:
        raise NumberIsTaken
    account = AccountRegistered(
        account=command.account,
        username=command.username,
        display_name=command.display_name,
        email=command.email,
    )
    return [account, SetPassword(command.account, command.password), *started(command.account, command.session)]


def refuse_taken(username: str, *, name_taken: bool, email_taken: bool) -> None:
    """Raise NameTaken or EmailIsTaken if the flag is set. The route also calls this before it hashes the password."""
    if name_taken:
        raise NameTaken(username)
    if email_taken:
        raise EmailIsTaken


def entities(command: RegisterAccount) -> tuple[Entity, ...]:
    """Lock the account and its personal entity, which holds its sessions."""
    return (("accounts", command.account), ("personal", command.account))


def questions(command: RegisterAccount) -> tuple[Question[Any], ...]:
    """Ask whether name, address and number are taken."""
    return (AccountNamed(command.username), EmailTaken(command.email), NumberTaken(command.account))


def state(command: RegisterAccount, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(
        name_taken=facts[AccountNamed(command.username)] is not None,
        email_taken=facts[EmailTaken(command.email)],
        number_taken=facts[NumberTaken(command.account)],
    )


REGISTER_ACCOUNT = Decision(entities, questions, state, decide)
