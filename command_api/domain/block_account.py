"""Blocking: each account stops following the other and is hidden from it, in one transaction over both graphs."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.first_copies import Entity
from events.graph import AccountBlocked, AccountUnfollowed
from events.ids import AccountId

from ..deciding import Decision
from ..facts import Facts, Other, OtherOf
from .acting import another, other_account


class BlockAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` blocks `other`, given by its id, because its graph is locked before any question is asked."""

    actor: AccountId
    other: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account and the relation to it; None if there is no such account."""

    other: Other | None = None


def decide(command: BlockAccount, state: State) -> list[Event]:
    """Return the end of the follows and the block, or nothing if there is a block.

    The follows end first, so that no prefix of the blocker's graph has a follow and a block between the two.
    Raises AccountNotFound, NotYourself.
    """
    other = another(command, state.other, "block")
    if other.relation.blocking:
        return []
    decided: list[Event] = []
    if other.relation.followed_by:
        decided.append(AccountUnfollowed(follower=other.id, followee=command.actor))
    if other.relation.following:
        decided.append(AccountUnfollowed(follower=command.actor, followee=other.id))
    decided.append(AccountBlocked(blocker=command.actor, blocked=other.id))
    return decided


def entities(command: BlockAccount) -> tuple[Entity, ...]:
    """Lock the graphs of both accounts, because the other's follow may end."""
    return (("graph", command.actor), ("graph", command.other))


def state(command: BlockAccount, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[OtherOf(command.actor, command.other)])


BLOCK_ACCOUNT = Decision(entities, other_account, state, decide)
