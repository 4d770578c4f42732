"""Unblocking: the block is lifted; the follows that it ended stay ended."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.graph import AccountUnblocked
from events.ids import AccountId

from ..deciding import Decision
from ..facts import Facts, Named, Other, OtherOf
from .acting import graph_of_actor, other_account, there


class UnblockAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` no longer blocks `other`."""

    actor: AccountId
    other: AccountId | Named


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account, None where there is no such account."""

    other: Other | None = None


def decide(command: UnblockAccount, state: State) -> list[Event]:
    """The block's end, or nothing where there is none; the other's own block stays. Raises AccountNotFound."""
    other = there(command, state.other)
    if not other.relation.blocking:
        return []
    return [AccountUnblocked(blocker=command.actor, blocked=other.id)]


def state(command: UnblockAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[OtherOf(command.actor, command.other)])


UNBLOCK_ACCOUNT = Decision(graph_of_actor, other_account, state, decide)
