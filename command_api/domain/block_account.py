"""Blocking: it ends following both ways and hides each from the other, in one transaction over both graphs."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.first_copies import Entity
from events.graph import AccountBlocked, AccountUnfollowed
from events.ids import AccountId

from ..deciding import Decision
from ..facts import STRANGERS, AccountExists, Facts, Relation, RelationOf
from .acting import account_and_relation
from .errors import AccountNotFound, NotYourself


class BlockAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` blocks `other`."""

    actor: AccountId
    other: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether there is such an account, and how the two stand to each other."""

    exists: bool = True
    relation: Relation = STRANGERS


def decide(command: BlockAccount, state: State) -> list[Event]:
    """The block, and the end of the follows; nothing where there is a block. Raises NotYourself, AccountNotFound.

    The follows end first: whoever reads the blocker's graph up to any point finds no follow past a block.
    """
    if command.actor == command.other:
        raise NotYourself("block")
    if not state.exists:
        raise AccountNotFound(command.other)
    if state.relation.blocking:
        return []
    decided: list[Event] = []
    if state.relation.followed_by:
        decided.append(AccountUnfollowed(follower=command.other, followee=command.actor))
    if state.relation.following:
        decided.append(AccountUnfollowed(follower=command.actor, followee=command.other))
    decided.append(AccountBlocked(blocker=command.actor, blocked=command.other))
    return decided


def entities(command: BlockAccount) -> tuple[Entity, ...]:
    """The graphs of both, since the other's follow may end."""
    return (("graph", command.actor), ("graph", command.other))


def state(command: BlockAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[AccountExists(command.other)], facts[RelationOf(command.actor, command.other)])


BLOCK_ACCOUNT = Decision(entities, account_and_relation, state, decide)
