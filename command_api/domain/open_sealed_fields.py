"""Opening sealed fields: an operator reads personal data of the log, and the log says so for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from events.event import Event
from events.first_copies import Entity
from events.operations import SealedFieldsOpened

from ..deciding import Decision, Refused
from ..facts import Facts, Question

LONGEST_PURPOSE = 500


class OpenSealedFields(msgspec.Struct, frozen=True, gc=False):
    """`by` opens the sealed fields of events of these topics, for a purpose."""

    by: str
    topics: tuple[str, ...]
    purpose: str


class PurposeMissing(Refused):
    """Personal data is opened for a purpose, which has to be said in one line."""

    def __init__(self) -> None:
        super().__init__(f"say what personal data is opened for, in 1 to {LONGEST_PURPOSE} characters")


def decide(command: OpenSealedFields, state: None) -> Sequence[Event]:
    """Return SealedFieldsOpened. Raises PurposeMissing."""
    purpose = " ".join(command.purpose.split())
    if not 1 <= len(purpose) <= LONGEST_PURPOSE:
        raise PurposeMissing
    return [SealedFieldsOpened(by=command.by, topics=command.topics, purpose=purpose)]


def entities(command: OpenSealedFields) -> tuple[Entity, ...]:
    """Lock the openings of the one who opens."""
    return (("operations", command.by),)


def questions(command: OpenSealedFields) -> tuple[Question[Any], ...]:
    """Ask nothing."""
    return ()


def state(command: OpenSealedFields, facts: Facts) -> None:
    """Need no state."""


OPEN_SEALED_FIELDS = Decision(entities, questions, state, decide)
