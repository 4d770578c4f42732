"""Importing an account: it begins without a password, once for each name; it can be claimed later."""

from __future__ import annotations

from typing import Any

import msgspec

from events.accounts import AccountRegistered
from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId

from ..deciding import Decision
from ..facts import AccountExists, AccountNamed, Facts, NumberTaken, Question
from .register_account import NumberIsTaken


class ImportAccount(msgspec.Struct, frozen=True, gc=False):
    """`account` begins; its id is made of what is imported, the same each time, and its name is checked already."""

    account: AccountId
    username: str
    display_name: str


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether the account is there, or another with its name or its number."""

    exists: bool = False
    name_taken: bool = False
    number_taken: bool = False


def decide(command: ImportAccount, state: State) -> list[Event]:
    """The account, or nothing where it or one of its name is there already. Raises NumberIsTaken."""
    if state.exists or state.name_taken:
        return []
    if state.number_taken:
        raise NumberIsTaken
    return [
        AccountRegistered(
            account=command.account, username=command.username, display_name=command.display_name, imported=True
        )
    ]


def entities(command: ImportAccount) -> tuple[Entity, ...]:
    """The account."""
    return (("accounts", command.account),)


def questions(command: ImportAccount) -> tuple[Question[Any], ...]:
    """Whether the account, its name and its number are there."""
    return (AccountExists(command.account), AccountNamed(command.username), NumberTaken(command.account))


def state(command: ImportAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(
        exists=facts[AccountExists(command.account)],
        name_taken=facts[AccountNamed(command.username)] is not None,
        number_taken=facts[NumberTaken(command.account)],
    )


IMPORT_ACCOUNT = Decision(entities, questions, state, decide)
