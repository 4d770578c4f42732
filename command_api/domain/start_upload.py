"""Starting an upload: an account may upload one file to the object store, and finish the medium afterwards."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.ids import AccountId, MediaId
from events.media import UploadStarted

from ..deciding import Decision
from ..facts import AccountExists, Facts, Question
from .acting import media_of_actor
from .errors import AccountNotFound


class StartUpload(msgspec.Struct, frozen=True, gc=False):
    """`actor` will upload `media`; the route has checked that `content_type` is supported."""

    actor: AccountId
    media: MediaId
    content_type: str
    alt: str = ""


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether the account exists."""

    exists: bool = True


def decide(command: StartUpload, state: State) -> list[Event]:
    """Return UploadStarted. Raises AccountNotFound."""
    if not state.exists:
        raise AccountNotFound(command.actor)
    return [UploadStarted(media=command.media, owner=command.actor, content_type=command.content_type, alt=command.alt)]


def questions(command: StartUpload) -> tuple[Question[Any], ...]:
    """Ask whether the account exists."""
    return (AccountExists(command.actor),)


def state(command: StartUpload, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[AccountExists(command.actor)])


START_UPLOAD = Decision(media_of_actor, questions, state, decide)
