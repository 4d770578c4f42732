"""Adding a medium whose file came with the request. The file is checked and stored before the decision."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.ids import AccountId, MediaId
from events.media import MediaFinished

from ..deciding import Decision
from ..facts import AccountExists, Facts, Question, StoredFile
from .acting import media_of_actor
from .errors import AccountNotFound


class AddMedia(msgspec.Struct, frozen=True, gc=False):
    """`actor` adds `media`."""

    actor: AccountId
    media: MediaId
    stored: StoredFile
    alt: str = ""


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether the account exists."""

    exists: bool = True


def decide(command: AddMedia, state: State) -> list[Event]:
    """Return MediaFinished. Raises AccountNotFound."""
    if not state.exists:
        raise AccountNotFound(command.actor)
    return [finished(command.actor, command.media, command.stored, command.alt)]


def finished(owner: AccountId, media: MediaId, stored: StoredFile, alt: str) -> MediaFinished:
    """Return the event that makes a stored file usable as a medium."""
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
    """Ask whether the account exists."""
    return (AccountExists(command.actor),)


def state(command: AddMedia, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[AccountExists(command.actor)])


ADD_MEDIA = Decision(media_of_actor, questions, state, decide)
