"""Unfollowing: an account stops following another; without a follow nothing changes."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.graph import AccountUnfollowed
from events.ids import AccountId

from ..deciding import Decision
from ..facts import Facts, Named, Other, OtherOf
from .acting import graph_of_actor, other_account, there


class UnfollowAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` unfollows `other`."""

    actor: AccountId
    other: AccountId | Named


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account and the relation to it; None if there is no such account."""

    other: Other | None = None


def decide(command: UnfollowAccount, state: State) -> list[Event]:
    """Return one AccountUnfollowed, or nothing if there is no follow. Raises AccountNotFound."""
    other = there(command, state.other)
    if not other.relation.following:
        return []
    return [AccountUnfollowed(follower=command.actor, followee=other.id)]


def state(command: UnfollowAccount, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[OtherOf(command.actor, command.other)])


UNFOLLOW_ACCOUNT = Decision(graph_of_actor, other_account, state, decide)
