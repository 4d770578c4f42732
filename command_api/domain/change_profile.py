"""Changing the profile: given fields are replaced, others stay. The event carries the whole new profile."""

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
    """`actor` changes its profile. Values are checked before; UNSET leaves a field as it is, None removes a picture.

    With `if_version`, the change is refused unless the profile still has this version.
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
        """Return the profile with the changes applied."""
        changes = {name: getattr(self, name) for name in Profile.__struct_fields__}
        return msgspec.structs.replace(profile, **{n: value for n, value in changes.items() if value is not UNSET})

    @property
    def pictures(self) -> tuple[MediaId, ...]:
        """The ids of the media that become avatar or header."""
        return tuple([picture for picture in (self.avatar, self.header) if isinstance(picture, str)])


class State(msgspec.Struct, frozen=True, gc=False):
    """The account, or None if there is none, and the new pictures in the order of `ChangeProfile.pictures`."""

    account: Account | None = None
    pictures: tuple[Media | None, ...] = ()


def decide(command: ChangeProfile, state: State) -> list[Event]:
    """Return the new profile, or nothing if the profile does not change.

    Raises AccountNotFound, VersionMismatch, NotAPicture; MediaNotFound, MediaGone or MediaUnfinished for a picture.
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
    """Lock the account."""
    return (("accounts", command.actor),)


def questions(command: ChangeProfile) -> tuple[Question[Any], ...]:
    """Ask for the account and its new pictures."""
    return (AccountOf(command.actor), *map(MediaOf, command.pictures))


def state(command: ChangeProfile, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[AccountOf(command.actor)], tuple([facts[MediaOf(picture)] for picture in command.pictures]))


CHANGE_PROFILE = Decision(entities, questions, state, decide)
