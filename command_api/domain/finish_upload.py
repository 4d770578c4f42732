"""Finishing an upload: what was put into the store has been checked, and its owner can use it from now on."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.ids import AccountId, MediaId

from ..deciding import Decision
from ..facts import Facts, Media, MediaOf, Question
from .acting import media_of_actor
from .add_media import Stored, finished
from .errors import MediaGone
from .usable_media import owned


class FinishUpload(msgspec.Struct, frozen=True, gc=False):
    """`actor` finishes `media`; what was uploaded is checked and stored already."""

    actor: AccountId
    media: MediaId
    stored: Stored


class State(msgspec.Struct, frozen=True, gc=False):
    """The medium, if its upload was started."""

    medium: Media | None = None


def decide(command: FinishUpload, state: State) -> list[Event]:
    """The medium, or nothing where it is finished: the first content stays. Raises MediaNotFound, MediaGone."""
    medium = owned(command.media, state.medium, command.actor)
    if medium.deleted:
        raise MediaGone(command.media)
    if medium.object is not None:
        return []
    return [finished(command.actor, command.media, command.stored, medium.attachment.alt)]


def questions(command: FinishUpload) -> tuple[Question[Any], ...]:
    """The medium."""
    return (MediaOf(command.media),)


def state(command: FinishUpload, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[MediaOf(command.media)])


FINISH_UPLOAD = Decision(media_of_actor, questions, state, decide)
