"""Unmuting: the actor sees the account again."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.ids import AccountId
from events.personal import AccountUnmuted

from ..deciding import Decision
from ..facts import Facts, Named, Other, OtherOf
from .acting import other_account, personal_of_actor, there


class UnmuteAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` unmutes `other`."""

    actor: AccountId
    other: AccountId | Named


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account and the relation to it; None if there is no such account."""

    other: Other | None = None


def decide(command: UnmuteAccount, state: State) -> list[Event]:
    """Return one AccountUnmuted, or nothing if there is no mute. Raises AccountNotFound."""
    other = there(command, state.other)
    if not other.relation.muting:
        return []
    return [AccountUnmuted(owner=command.actor, muted=other.id)]


def state(command: UnmuteAccount, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[OtherOf(command.actor, command.other)])


UNMUTE_ACCOUNT = Decision(personal_of_actor, other_account, state, decide)
