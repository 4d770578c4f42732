"""Changing the profile: what is named becomes another, the rest stays; the event has the whole."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from events.accounts import Profile, ProfileChanged
from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId

from ..deciding import Decision
from ..facts import Account, AccountOf, Facts, Question
from .errors import AccountNotFound, VersionMismatch


class ChangeProfile(msgspec.Struct, frozen=True, gc=False):
    """`actor` changes its profile; the values are checked already, and UNSET leaves one as it is.

    `if_version` is the version that was seen, if the change is to be held against it.
    """

    actor: AccountId
    display_name: str | UnsetType = UNSET
    bio: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    website: str | UnsetType = UNSET
    feed: str | UnsetType = UNSET
    if_version: int | None = None

    def applied_to(self, profile: Profile) -> Profile:
        """The profile with the changes."""
        changes = {name: getattr(self, name) for name in Profile.__struct_fields__}
        return msgspec.structs.replace(profile, **{n: value for n, value in changes.items() if value is not UNSET})


class State(msgspec.Struct, frozen=True, gc=False):
    """The account, if there is one."""

    account: Account | None = None


def decide(command: ChangeProfile, state: State) -> list[Event]:
    """The new profile, or nothing where it is the present one. Raises AccountNotFound, VersionMismatch."""
    account = state.account
    if account is None:
        raise AccountNotFound(command.actor)
    if command.if_version is not None and command.if_version != account.version:
        raise VersionMismatch(command.if_version, account.version)
    profile = command.applied_to(account.profile)
    if profile == account.profile:
        return []
    return [ProfileChanged(account=command.actor, profile=profile)]


def entities(command: ChangeProfile) -> tuple[Entity, ...]:
    """The account."""
    return (("accounts", command.actor),)


def questions(command: ChangeProfile) -> tuple[Question[Any], ...]:
    """The account."""
    return (AccountOf(command.actor),)


def state(command: ChangeProfile, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[AccountOf(command.actor)])


CHANGE_PROFILE = Decision(entities, questions, state, decide)
