"""Following: an account follows another once, never itself, and not if either blocks the other."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.graph import AccountFollowed
from events.ids import AccountId

from ..deciding import Decision
from ..facts import Facts, Named, Other, OtherOf
from .acting import another, graph_of_actor, other_account
from .errors import Blocked


class FollowAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` follows `other`."""

    actor: AccountId
    other: AccountId | Named


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account and the relation to it; None if there is no such account."""

    other: Other | None = None


def decide(command: FollowAccount, state: State) -> list[Event]:
    """Return one AccountFollowed, or nothing if the follow exists. Raises AccountNotFound, NotYourself, Blocked."""
    other = another(command, state.other, "follow")
    if other.relation.blocking or other.relation.blocked_by:
        raise Blocked
    if other.relation.following:
        return []
    return [AccountFollowed(follower=command.actor, followee=other.id)]


def state(command: FollowAccount, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[OtherOf(command.actor, command.other)])


FOLLOW_ACCOUNT = Decision(graph_of_actor, other_account, state, decide)
