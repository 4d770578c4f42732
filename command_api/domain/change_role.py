"""Roles: an operator gives an account another role, and so other rights (rest/rights.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.accounts import Role, RoleChanged
from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId

from ..deciding import Decision
from ..facts import AccountExists, Facts, Question, RoleOf
from .errors import AccountNotFound


class ChangeRole(msgspec.Struct, frozen=True, gc=False):
    """Give `account` the role `role`."""

    account: AccountId
    role: Role


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether the account exists, and its current role."""

    exists: bool = False
    role: Role = "user"


def decide(command: ChangeRole, state: State) -> Sequence[Event]:
    """Return RoleChanged; nothing if the account has the role already. Raises AccountNotFound."""
    if not state.exists:
        raise AccountNotFound(command.account)
    if state.role == command.role:
        return []
    return [RoleChanged(account=command.account, role=command.role)]


def entities(command: ChangeRole) -> tuple[Entity, ...]:
    """Lock the account."""
    return (("accounts", command.account),)


def questions(command: ChangeRole) -> tuple[Question[Any], ...]:
    """Ask whether the account exists, and for its role."""
    return (AccountExists(command.account), RoleOf(command.account))


def state(command: ChangeRole, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[AccountExists(command.account)], facts[RoleOf(command.account)])


CHANGE_ROLE = Decision(entities, questions, state, decide)
