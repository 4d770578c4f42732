"""Unblocking: the block ends. The follows that it ended are not restored."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.graph import AccountUnblocked
from events.ids import AccountId

from ..deciding import Decision
from ..facts import Facts, Named, Other, OtherOf
from .acting import graph_of_actor, other_account, there


class UnblockAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` unblocks `other`."""

    actor: AccountId
    other: AccountId | Named


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account and the relation to it; None if there is no such account."""

    other: Other | None = None


def decide(command: UnblockAccount, state: State) -> list[Event]:
    """Return one AccountUnblocked, or nothing if there is no block; a block by the other account stays.

    Raises AccountNotFound.
    """
    other = there(command, state.other)
    if not other.relation.blocking:
        return []
    return [AccountUnblocked(blocker=command.actor, blocked=other.id)]


def state(command: UnblockAccount, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[OtherOf(command.actor, command.other)])


UNBLOCK_ACCOUNT = Decision(graph_of_actor, other_account, state, decide)
