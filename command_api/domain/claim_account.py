"""Claiming: an imported account, which nobody could sign in to, is given a password; once, by an operator."""

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
    """`account` is given a password; `password` is its bcrypt hash, and is checked already (passwords.py)."""

    account: AccountId
    password: bytes


class State(msgspec.Struct, frozen=True, gc=False):
    """The account, and its password if it has one."""

    account: Account | None = None
    password: Password | None = None


class NotClaimable(Refused):
    """The account was not imported, or was claimed before: its password is its owner's to change."""

    def __init__(self, username: str) -> None:
        super().__init__(f"{username} has a password already; only imported accounts that have none can be claimed")


def decide(command: ClaimAccount, state: State) -> Sequence[Event | PrivateChange]:
    """The password. Raises AccountNotFound, NotClaimable."""
    if state.account is None:
        raise AccountNotFound(command.account)
    if not state.account.imported or state.password is not None:
        raise NotClaimable(state.account.username)
    return [AccountClaimed(account=command.account), SetPassword(command.account, command.password)]


def entities(command: ClaimAccount) -> tuple[Entity, ...]:
    """The account."""
    return (("accounts", command.account),)


def questions(command: ClaimAccount) -> tuple[Question[Any], ...]:
    """The account, and its password."""
    return (AccountOf(command.account), PasswordOf(command.account))


def state(command: ClaimAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[AccountOf(command.account)], facts[PasswordOf(command.account)])


CLAIM_ACCOUNT = Decision(entities, questions, state, decide)
