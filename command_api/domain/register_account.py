"""Registering: an account begins, with a name and an address that no other has, and its first session with it."""

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
    """`account` begins; names and address are checked already (names.py), and the password (passwords.py)."""

    account: AccountId
    username: str
    email: str
    display_name: str
    password: bytes
    """Its bcrypt hash."""
    session: NewSession


class State(msgspec.Struct, frozen=True, gc=False):
    """What is taken already."""

    name_taken: bool = False
    email_taken: bool = False
    number_taken: bool = False


class NameTaken(Refused):
    """Another account has this name, whatever the case."""

    def __init__(self, username: str) -> None:
        super().__init__(f"another account is called {username}")


class EmailIsTaken(Refused):
    """Another account has this e-mail address, whatever the case."""

    def __init__(self) -> None:
        super().__init__("another account has this e-mail address")


class NumberIsTaken(Refused):
    """Another account has the number of this id, which happens once in 2**62 / accounts: try another id."""


def decide(command: RegisterAccount, state: State) -> Sequence[Event | PrivateChange]:
    """An account and a session. Raises NameTaken, EmailIsTaken, NumberIsTaken."""
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
    """Raise NameTaken or EmailIsTaken where that is so: it can be asked before the password is hashed, too."""
    if name_taken:
        raise NameTaken(username)
    if email_taken:
        raise EmailIsTaken


def entities(command: RegisterAccount) -> tuple[Entity, ...]:
    """The account, and its personal matters."""
    return (("accounts", command.account), ("personal", command.account))


def questions(command: RegisterAccount) -> tuple[Question[Any], ...]:
    """Whether name, address and number are free."""
    return (AccountNamed(command.username), EmailTaken(command.email), NumberTaken(command.account))


def state(command: RegisterAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(
        name_taken=facts[AccountNamed(command.username)] is not None,
        email_taken=facts[EmailTaken(command.email)],
        number_taken=facts[NumberTaken(command.account)],
    )


REGISTER_ACCOUNT = Decision(entities, questions, state, decide)
