"""Unfollowing: a follow ends; where there is none, nothing happens."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.graph import AccountUnfollowed
from events.ids import AccountId

from ..deciding import Decision
from ..facts import Facts, Named, Other, OtherOf
from .acting import graph_of_actor, other_account, there


class UnfollowAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` no longer follows `other`."""

    actor: AccountId
    other: AccountId | Named


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account, None where there is no such account."""

    other: Other | None = None


def decide(command: UnfollowAccount, state: State) -> list[Event]:
    """The follow's end, or nothing where there is none. Raises AccountNotFound."""
    other = there(command, state.other)
    if not other.relation.following:
        return []
    return [AccountUnfollowed(follower=command.actor, followee=other.id)]


def state(command: UnfollowAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[OtherOf(command.actor, command.other)])


UNFOLLOW_ACCOUNT = Decision(graph_of_actor, other_account, state, decide)
