"""The roles of accounts, and the rights that each role has: the one place that decides who may do what.

A process holds the accounts that have another role than `user`, which are few, in memory. So a request learns its role
without a query, and a new role counts at once, not when the access token is next renewed. The claim `role` of a token
tells the client what it may do; the server decides by this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from events.accounts import Role
from events.ids import AccountId

from .problems import ProblemError


class Right(Enum):
    """Something that not everyone may do, in words that complete the sentence `this account may not ...`."""

    ANALYSE = "read the stream of events, or ask as of an earlier time"
    MODERATE = "see or decide the cases of moderation"
    ADMINISTER = "give roles, or run the processors"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    "user": frozenset(),
    "analyst": frozenset({Right.ANALYSE}),
    "moderator": frozenset({Right.MODERATE}),
    "admin": frozenset(Right),
}


class Roles:
    """The role of each account, in this process."""

    def __init__(self) -> None:
        self._given: Mapping[AccountId, Role] = {}

    def of(self, account: AccountId) -> Role:
        """Return the role of an account."""
        return self._given.get(account, "user")

    def replace(self, given: Mapping[AccountId, Role]) -> None:
        """Take over all roles: those of the accounts that have another one than `user`."""
        self._given = given


def check(role: Role, right: Right) -> None:
    """Raise the problem `not-allowed` unless the role has the right."""
    if right not in RIGHTS[role]:
        holders = " or ".join(each for each, rights in RIGHTS.items() if right in rights)
        raise ProblemError("not-allowed", f"this account may not {right.value}; that needs the role {holders}")
