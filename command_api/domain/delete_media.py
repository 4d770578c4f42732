"""Deleting a medium: its owner withdraws it, once nothing shows it any more.

A tweet is what its author wrote, pictures included: who wants a picture gone deletes the tweet, or takes it from the
profile, first. So no tweet ever loses a part of itself unnoticed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.first_copies import Entity
from events.ids import AccountId, MediaId
from events.media import MediaDeleted

from ..deciding import Decision
from ..facts import Account, AccountOf, Facts, Media, MediaInUse, MediaOf, Question
from .errors import MediaShown
from .usable_media import owned


class DeleteMedia(msgspec.Struct, frozen=True, gc=False):
    """`actor` deletes `media`."""

    actor: AccountId
    media: MediaId


class State(msgspec.Struct, frozen=True, gc=False):
    """The medium, whether a tweet shows it, and its owner's account, whose profile may."""

    medium: Media | None = None
    in_use: bool = False
    account: Account | None = None


def decide(command: DeleteMedia, state: State) -> list[Event]:
    """The end of the medium, or nothing where it was deleted before. Raises MediaNotFound, MediaShown."""
    medium = owned(command.media, state.medium, command.actor)
    if medium.deleted:
        return []
    if state.in_use:
        raise MediaShown(command.media, "in a tweet; delete that first")
    profile = None if state.account is None else state.account.profile
    if profile is not None and command.media in (profile.avatar, profile.header):
        raise MediaShown(command.media, "in your profile; take it from there first")
    return [MediaDeleted(media=command.media, owner=command.actor)]


def entities(command: DeleteMedia) -> tuple[Entity, ...]:
    """The owner's media, and whatever could begin to show one meanwhile: its tweets and its profile."""
    return (("accounts", command.actor), ("media", command.actor), ("tweets", command.actor))


def questions(command: DeleteMedia) -> tuple[Question[Any], ...]:
    """The medium, and what shows it."""
    return (MediaOf(command.media), MediaInUse(command.media), AccountOf(command.actor))


def state(command: DeleteMedia, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[MediaOf(command.media)], facts[MediaInUse(command.media)], facts[AccountOf(command.actor)])


DELETE_MEDIA = Decision(entities, questions, state, decide)
