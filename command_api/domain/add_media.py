"""Adding a medium that came with the request: it is checked and stored already, and finished from the first moment."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.ids import AccountId, MediaId
from events.media import MediaFinished

from ..deciding import Decision
from ..facts import AccountExists, Facts, Question
from .acting import media_of_actor
from .errors import AccountNotFound


class Stored(msgspec.Struct, frozen=True, gc=False):
    """What checking found, and where the store has it: `size` in bytes, `width` and `height` in pixels as shown."""

    content_type: str
    object: str
    size: int
    width: int | None = None
    height: int | None = None


class AddMedia(msgspec.Struct, frozen=True, gc=False):
    """`actor` adds `media`."""

    actor: AccountId
    media: MediaId
    stored: Stored
    alt: str = ""


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether there is such an account."""

    exists: bool = True


def decide(command: AddMedia, state: State) -> list[Event]:
    """The medium. Raises AccountNotFound."""
    if not state.exists:
        raise AccountNotFound(command.actor)
    return [finished(command.actor, command.media, command.stored, command.alt)]


def finished(owner: AccountId, media: MediaId, stored: Stored, alt: str) -> MediaFinished:
    """The event that tells of a medium."""
    return MediaFinished(
        media=media,
        owner=owner,
        content_type=stored.content_type,
        object=stored.object,
        size=stored.size,
        width=stored.width,
        height=stored.height,
        alt=alt,
    )


def questions(command: AddMedia) -> tuple[Question[Any], ...]:
    """The account."""
    return (AccountExists(command.actor),)


def state(command: AddMedia, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[AccountExists(command.actor)])


ADD_MEDIA = Decision(media_of_actor, questions, state, decide)
