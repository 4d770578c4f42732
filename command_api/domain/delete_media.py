"""Deleting a medium: its owner deletes it once no tweet and no profile shows it.

Pictures are a part of the tweet. The owner first deletes the tweet, or removes the picture from the profile; a tweet
never loses a picture unnoticed.
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
    """The medium, whether a tweet shows it, and the owner's account, because the profile may show it."""

    medium: Media | None = None
    in_use: bool = False
    account: Account | None = None


def decide(command: DeleteMedia, state: State) -> list[Event]:
    """Return MediaDeleted, or nothing if the medium is deleted already. Raises MediaNotFound, MediaShown."""
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
    """Lock the owner's media, tweets and account, so that no tweet or profile begins to show the medium meanwhile."""
    return (("accounts", command.actor), ("media", command.actor), ("tweets", command.actor))


def questions(command: DeleteMedia) -> tuple[Question[Any], ...]:
    """Ask for the medium, whether a tweet shows it, and the account with its profile."""
    return (MediaOf(command.media), MediaInUse(command.media), AccountOf(command.actor))


def state(command: DeleteMedia, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[MediaOf(command.media)], facts[MediaInUse(command.media)], facts[AccountOf(command.actor)])


DELETE_MEDIA = Decision(entities, questions, state, decide)
