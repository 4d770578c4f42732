"""Claiming: an operator gives an imported account its first password, so that its owner can sign in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.accounts import AccountClaimed
from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId

from ..credentials import Password, PasswordOf, SetPassword
from ..deciding import Decision, PrivateChange, Refused
from ..facts import Account, AccountOf, Facts, Question
from .errors import AccountNotFound


class ClaimAccount(msgspec.Struct, frozen=True, gc=False):
    """Give `account` a password; `password` is the bcrypt hash of one that passwords.py has checked."""

    account: AccountId
    password: bytes


class State(msgspec.Struct, frozen=True, gc=False):
    """The account and its password; None if it has none."""

    account: Account | None = None
    password: Password | None = None


class NotClaimable(Refused):
    """The account was not imported, or is claimed already: only its owner may change the password."""

    def __init__(self, username: str) -> None:
        super().__init__(f"{username} has a password already; only imported accounts that have none can be claimed")


def decide(command: ClaimAccount, state: State) -> Sequence[Event | PrivateChange]:
    """Return AccountClaimed and set the password. Raises AccountNotFound, NotClaimable."""
    if state.account is None:
        raise AccountNotFound(command.account)
    if not state.account.imported or state.password is not None:
        raise NotClaimable(state.account.username)
    return [AccountClaimed(account=command.account), SetPassword(command.account, command.password)]


def entities(command: ClaimAccount) -> tuple[Entity, ...]:
    """Lock the account."""
    return (("accounts", command.account),)


def questions(command: ClaimAccount) -> tuple[Question[Any], ...]:
    """Ask for the account and its password."""
    return (AccountOf(command.account), PasswordOf(command.account))


def state(command: ClaimAccount, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[AccountOf(command.account)], facts[PasswordOf(command.account)])


CLAIM_ACCOUNT = Decision(entities, questions, state, decide)
