"""Importing an account: it is created once for each name, without a password, and can be claimed later."""

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
    """Create `account`. Its id is derived from the imported data, the same on each run; its name is checked before."""

    account: AccountId
    username: str
    display_name: str


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether the account exists, or another account has its name or its number."""

    exists: bool = False
    name_taken: bool = False
    number_taken: bool = False


def decide(command: ImportAccount, state: State) -> list[Event]:
    """Return AccountRegistered, or nothing if the account or its name exists. Raises NumberIsTaken."""
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
    """Lock the account."""
    return (("accounts", command.account),)


def questions(command: ImportAccount) -> tuple[Question[Any], ...]:
    """Ask whether the account, its name and its number exist."""
    return (AccountExists(command.account), AccountNamed(command.username), NumberTaken(command.account))


def state(command: ImportAccount, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(
        exists=facts[AccountExists(command.account)],
        name_taken=facts[AccountNamed(command.username)] is not None,
        number_taken=facts[NumberTaken(command.account)],
    )


IMPORT_ACCOUNT = Decision(entities, questions, state, decide)
