"""Unblocking: the block is lifted; the follows that it ended stay ended."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.graph import AccountUnblocked
from events.ids import AccountId

from ..deciding import Decision
from ..facts import Facts, RelationOf
from .acting import graph_of_actor, relation


class UnblockAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` no longer blocks `other`."""

    actor: AccountId
    other: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether the one blocks the other."""

    blocking: bool = False


def decide(command: UnblockAccount, state: State) -> list[Event]:
    """The block's end, or nothing where there is none. The other's own block, if there is one, stays."""
    if not state.blocking:
        return []
    return [AccountUnblocked(blocker=command.actor, blocked=command.other)]


def state(command: UnblockAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[RelationOf(command.actor, command.other)].blocking)


UNBLOCK_ACCOUNT = Decision(graph_of_actor, relation, state, decide)
