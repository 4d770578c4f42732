"""Finishing an upload: the uploaded file is checked, and its owner can use it from now on."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.ids import AccountId, MediaId

from ..deciding import Decision
from ..facts import Facts, Media, MediaOf, Question, StoredFile
from .acting import media_of_actor
from .add_media import finished
from .errors import MediaGone
from .usable_media import owned


class FinishUpload(msgspec.Struct, frozen=True, gc=False):
    """`actor` finishes `media`; the uploaded file is checked and stored before the decision."""

    actor: AccountId
    media: MediaId
    stored: StoredFile


class State(msgspec.Struct, frozen=True, gc=False):
    """The medium, or None if its upload was never started."""

    medium: Media | None = None


def decide(command: FinishUpload, state: State) -> list[Event]:
    """Return MediaFinished, or nothing if it is finished already: the first file stays.

    Raises MediaNotFound, MediaGone.
    """
    medium = owned(command.media, state.medium, command.actor)
    if medium.deleted:
        raise MediaGone(command.media)
    if medium.stored is not None:
        return []
    return [finished(command.actor, command.media, command.stored, medium.attachment.alt)]


def questions(command: FinishUpload) -> tuple[Question[Any], ...]:
    """Ask for the medium."""
    return (MediaOf(command.media),)


def state(command: FinishUpload, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[MediaOf(command.media)])


FINISH_UPLOAD = Decision(media_of_actor, questions, state, decide)
