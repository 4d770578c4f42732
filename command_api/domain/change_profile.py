"""Changing the profile: what is named becomes another, the rest stays; the event has the whole."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from events.accounts import Profile, ProfileChanged
from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId, MediaId

from ..deciding import Decision
from ..facts import Account, AccountOf, Facts, Media, MediaOf, Question
from .errors import AccountNotFound, NotAPicture, VersionMismatch
from .usable_media import usable


class ChangeProfile(msgspec.Struct, frozen=True, gc=False):
    """`actor` changes its profile; the values are checked already, and UNSET leaves one as it is.

    None takes a picture away. `if_version` is the version that was seen, if the change is to be held against it.
    """

    actor: AccountId
    display_name: str | UnsetType = UNSET
    bio: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    website: str | UnsetType = UNSET
    feed: str | UnsetType = UNSET
    avatar: MediaId | UnsetType | None = UNSET
    header: MediaId | UnsetType | None = UNSET
    if_version: int | None = None

    def applied_to(self, profile: Profile) -> Profile:
        """The profile with the changes."""
        changes = {name: getattr(self, name) for name in Profile.__struct_fields__}
        return msgspec.structs.replace(profile, **{n: value for n, value in changes.items() if value is not UNSET})

    @property
    def pictures(self) -> tuple[MediaId, ...]:
        """The media that the profile is to show from now on."""
        return tuple([picture for picture in (self.avatar, self.header) if isinstance(picture, str)])


class State(msgspec.Struct, frozen=True, gc=False):
    """The account, if there is one, and the media that it is to show."""

    account: Account | None = None
    pictures: tuple[Media | None, ...] = ()


def decide(command: ChangeProfile, state: State) -> list[Event]:
    """The new profile, or nothing where it is the present one.

    Raises AccountNotFound, VersionMismatch, NotAPicture, and what `usable` does for the pictures.
    """
    account = state.account
    if account is None:
        raise AccountNotFound(command.actor)
    if command.if_version is not None and command.if_version != account.version:
        raise VersionMismatch(command.if_version, account.version)
    for wanted, medium in zip(command.pictures, state.pictures, strict=True):
        content_type = usable(wanted, medium, command.actor).content_type
        if not content_type.startswith("image/"):
            raise NotAPicture(wanted, content_type)
    profile = command.applied_to(account.profile)
    if profile == account.profile:
        return []
    return [ProfileChanged(account=command.actor, profile=profile)]


def entities(command: ChangeProfile) -> tuple[Entity, ...]:
    """The account."""
    return (("accounts", command.actor),)


def questions(command: ChangeProfile) -> tuple[Question[Any], ...]:
    """The account, and its new pictures."""
    return (AccountOf(command.actor), *map(MediaOf, command.pictures))


def state(command: ChangeProfile, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[AccountOf(command.actor)], tuple([facts[MediaOf(picture)] for picture in command.pictures]))


CHANGE_PROFILE = Decision(entities, questions, state, decide)
