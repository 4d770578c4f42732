"""Operations: what operators did to the machinery. Topic `operations`, keyed by what it was done to."""

from __future__ import annotations

from .event import Event, event


@event(topic="operations", key="model")
class ReadModelSwitched(Event, frozen=True, kw_only=True):
    """A rebuilt read model became the current one. `generation` counts the times it was built."""

    model: str
    generation: int
    version: int
