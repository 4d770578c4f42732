"""What a stream is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from events.event import BY_CLASS, Envelope, Event, Handles
from events.ids import EventId, Millis, derived_id
from events.log import New

Emit = Callable[[New], None]


class Stream(Handles):
    """Turns events into events of derived topics, by handing them to `emit`.

    What is emitted is a function of the source event alone (and of the stream's own rows): its id is made of the
    source's, so that deriving it again gives the same record. A stream with rows of its own names the read model that
    they belong to in `model`, and runs where that model is built and nowhere else.
    """

    name: ClassVar[str]
    model: ClassVar[str | None] = None

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def emit(self, event: Event, source: Envelope, time: Millis | None = None) -> None:
        """Emit a derived event; it happened at `time`, or when its source did."""
        kind = BY_CLASS[type(event)]
        when = source.time if time is None else time
        about = Envelope(
            id=EventId(derived_id(source.id, kind.topic, kind.name, kind.key(event))),
            time=when,
            correlation=source.correlation,
            causation=source.id,
            actor=source.actor,
            traceparent=source.traceparent,
        )
        self._emit(New(event, about))

    async def prepare(self, events: Sequence[Event]) -> None:
        """Read ahead what the handlers of these events will ask of the stream's rows: they cannot wait for it."""

    async def unsettled(self) -> bool:
        """Whether something waits that is no single event's doing, as a window that ended."""
        return False

    async def settle(self) -> None:
        """Emit some of it, a few ms' worth. Called within a transaction of its own, when there is nothing to read."""
