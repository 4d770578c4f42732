"""Operations: what operators did to the machinery. Topic `operations`, keyed by what it was done to."""

from __future__ import annotations

from typing import Annotated

import msgspec

from .event import Event, event


@event(topic="operations", key="model")
class ReadModelSwitched(Event, frozen=True, kw_only=True):
    """A rebuilt read model became the current one. `generation` counts the times it was built."""

    model: str
    generation: Annotated[int, msgspec.Meta(ge=0)]
    version: Annotated[int, msgspec.Meta(ge=0)]


@event(topic="operations", key="position")
class DeadLetterDiscarded(Event, frozen=True, kw_only=True):
    """An operator gave up a record that a group of processors could not apply: that group skips it, and rebuilds do.

    `position` is where the record stands, as in `tweets-3@42`. `event` is the id of the event, so that its copies are
    skipped as well; it is empty where the record cannot be read.
    """

    position: str
    group: str
    type: str
    event: str = ""
