"""Muting: an account is not seen any more, and is not told; never yourself."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.ids import AccountId
from events.personal import AccountMuted

from ..deciding import Decision
from ..facts import AccountExists, Facts, RelationOf
from .acting import account_and_relation, personal_of_actor
from .errors import AccountNotFound, NotYourself


class MuteAccount(msgspec.Struct, frozen=True, gc=False):
    """`actor` does not want to see `other`."""

    actor: AccountId
    other: AccountId


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether there is such an account, and whether it is muted already."""

    exists: bool = True
    muting: bool = False


def decide(command: MuteAccount, state: State) -> list[Event]:
    """One mute, or nothing where there is one. Raises NotYourself, AccountNotFound."""
    if command.actor == command.other:
        raise NotYourself("mute")
    if not state.exists:
        raise AccountNotFound(command.other)
    if state.muting:
        return []
    return [AccountMuted(owner=command.actor, muted=command.other)]


def state(command: MuteAccount, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[AccountExists(command.other)], facts[RelationOf(command.actor, command.other)].muting)


MUTE_ACCOUNT = Decision(personal_of_actor, account_and_relation, state, decide)
