"""Events of operators' acts. Topic `operations`, keyed by the read model, the position or the operator."""

from __future__ import annotations

from typing import Annotated

import msgspec

from .event import Event, event


@event(topic="operations", key="model")
class ReadModelSwitched(Event, frozen=True, kw_only=True):
    """A rebuilt generation of a read model became the current one. `generation` counts the model's builds."""

    model: str
    generation: Annotated[int, msgspec.Meta(ge=0)]
    version: Annotated[int, msgspec.Meta(ge=0)]


@event(topic="operations", key="position")
class DeadLetterDiscarded(Event, frozen=True, kw_only=True):
    """An operator discarded a record that a group of processors could not apply: the group and its rebuilds skip it.

    `position` is the record's position, as in `tweets-3@42`. `event` is the id of the event, so that its copies are
    skipped as well; it is empty if the record cannot be read.
    """

    position: str
    group: str
    type: str
    event: str = ""


@event(topic="operations", key="by")
class SealedFieldsOpened(Event, frozen=True, kw_only=True):
    """An operator had personal fields of these topics opened for an export. `by` is their name on the machine."""

    by: str
    topics: tuple[str, ...]
    purpose: str
