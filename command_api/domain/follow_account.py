"""Following: once each, never yourself, not past a block."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.graph import AccountFollowed
from events.ids import AccountId

from ..deciding import Decision
from ..facts import STRANGERS, AccountExists, Facts, Relation, RelationOf
from .acting import account_and_relation, graph_of_actor
from .errors import AccountNotFound, Blocked, NotYourself


class FollowAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` follows `other`."""

    actor: AccountId
    other: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether there is such an account, and how the two stand to each other."""

    exists: bool = True
    relation: Relation = STRANGERS


def decide(command: FollowAccount, state: State) -> list[Event]:
    """One follow, or nothing where there is one. Raises NotYourself, AccountNotFound, Blocked."""
    if command.actor == command.other:
        raise NotYourself("follow")
    if not state.exists:
        raise AccountNotFound(command.other)
    if state.relation.blocking or state.relation.blocked_by:
        raise Blocked
    if state.relation.following:
        return []
    return [AccountFollowed(follower=command.actor, followee=command.other)]


def state(command: FollowAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[AccountExists(command.other)], facts[RelationOf(command.actor, command.other)])


FOLLOW_ACCOUNT = Decision(graph_of_actor, account_and_relation, state, decide)
