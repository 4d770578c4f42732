"""Starting an upload: an account is given leave to put one medium into the store, and to finish it afterwards."""

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
    """`actor` will upload `media`, of this type; the type is one that is taken."""

    actor: AccountId
    media: MediaId
    content_type: str
    alt: str = ""


class State(msgspec.Struct, frozen=True, gc=False):
    """Whether there is such an account."""

    exists: bool = True


def decide(command: StartUpload, state: State) -> list[Event]:
    """The leave. Raises AccountNotFound."""
    if not state.exists:
        raise AccountNotFound(command.actor)
    return [UploadStarted(media=command.media, owner=command.actor, content_type=command.content_type, alt=command.alt)]


def questions(command: StartUpload) -> tuple[Question[Any], ...]:
    """The account."""
    return (AccountExists(command.actor),)


def state(command: StartUpload, facts: Facts) -> State:
    """What the decision needs of the facts."""
    return State(facts[AccountExists(command.actor)])


START_UPLOAD = Decision(media_of_actor, questions, state, decide)
