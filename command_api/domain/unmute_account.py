"""Unmuting: an account is seen again."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.ids import AccountId
from events.personal import AccountUnmuted

from ..deciding import Decision
from ..facts import Facts, RelationOf
from .acting import personal_of_actor, relation


class UnmuteAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` wants to see `other` again."""

    actor: AccountId
    other: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether the one mutes the other."""

    muting: bool = False


def decide(command: UnmuteAccount, state: State) -> list[Event]:
    """The mute's end, or nothing where there is none."""
    if not state.muting:
        return []
    return [AccountUnmuted(owner=command.actor, muted=command.other)]


def state(command: UnmuteAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[RelationOf(command.actor, command.other)].muting)


UNMUTE_ACCOUNT = Decision(personal_of_actor, relation, state, decide)
