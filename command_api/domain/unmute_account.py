"""Unmuting: an account is seen again."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.ids import AccountId
from events.personal import AccountUnmuted

from ..deciding import Decision
from ..facts import Facts, Named, Other, OtherOf
from .acting import other_account, personal_of_actor, there


class UnmuteAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` wants to see `other` again."""

    actor: AccountId
    other: AccountId | Named


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account, None where there is no such account."""

    other: Other | None = None


def decide(command: UnmuteAccount, state: State) -> list[Event]:
    """The mute's end, or nothing where there is none. Raises AccountNotFound."""
    other = there(command, state.other)
    if not other.relation.muting:
        return []
    return [AccountUnmuted(owner=command.actor, muted=other.id)]


def state(command: UnmuteAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[OtherOf(command.actor, command.other)])


UNMUTE_ACCOUNT = Decision(personal_of_actor, other_account, state, decide)
