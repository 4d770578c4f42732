"""Unfollowing: a follow ends; where there is none, nothing happens."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.graph import AccountUnfollowed
from events.ids import AccountId

from ..deciding import Decision
from ..facts import Facts, RelationOf
from .acting import graph_of_actor, relation


class UnfollowAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` no longer follows `other`."""

    actor: AccountId
    other: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether the one follows the other."""

    following: bool = False


def decide(command: UnfollowAccount, state: State) -> list[Event]:
    """The follow's end, or nothing."""
    if not state.following:
        return []
    return [AccountUnfollowed(follower=command.actor, followee=command.other)]


def state(command: UnfollowAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[RelationOf(command.actor, command.other)].following)


UNFOLLOW_ACCOUNT = Decision(graph_of_actor, relation, state, decide)
