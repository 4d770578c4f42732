"""Blocking: it ends following both ways and hides each from the other, in one transaction over both graphs."""

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
    """`actor` blocks `other`, which goes by its id: its graph is locked before anything is asked."""

    actor: AccountId
    other: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account, None where there is no such account."""

    other: Other | None = None


def decide(command: BlockAccount, state: State) -> list[Event]:
    """The block, and the end of the follows; nothing where there is a block. Raises AccountNotFound, NotYourself.

    The follows end first: whoever reads the blocker's graph up to any point finds no follow past a block.
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
    """The graphs of both, since the other's follow may end."""
    return (("graph", command.actor), ("graph", command.other))


def state(command: BlockAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[OtherOf(command.actor, command.other)])


BLOCK_ACCOUNT = Decision(entities, other_account, state, decide)
