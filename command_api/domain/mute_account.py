"""Muting: the muted account is hidden from the actor and is not told. An account cannot mute itself."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.ids import AccountId
from events.personal import AccountMuted

from ..deciding import Decision
from ..facts import Facts, Named, Other, OtherOf
from .acting import another, other_account, personal_of_actor


class MuteAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` mutes `other`."""

    actor: AccountId
    other: AccountId | Named


class State(msgspec.Struct, frozen=True, gc=False):
    """The other account and the relation to it; None if there is no such account."""

    other: Other | None = None


def decide(command: MuteAccount, state: State) -> list[Event]:
    """Return one AccountMuted, or nothing if the mute exists. Raises AccountNotFound, NotYourself."""
    other = another(command, state.other, "mute")
    if other.relation.muting:
        return []
    return [AccountMuted(owner=command.actor, muted=other.id)]


def state(command: MuteAccount, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[OtherOf(command.actor, command.other)])


MUTE_ACCOUNT = Decision(personal_of_actor, other_account, state, decide)
