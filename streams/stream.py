"""The base class of streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from events.event import BY_CLASS, Envelope, Event, Handles
from events.ids import EventId, Millis, derived_id
from events.log import New

Emit = Callable[[New], None]


class Stream(Handles):
    """Turns events into events of derived topics and passes them to `emit`.

    An emitted event depends only on the source event and the stream's own rows. Its id is derived from the source's id,
    so deriving it again gives the same record. A stream with rows names in `model` the read model that has them, and
    runs only where that model is built.
    """

    name: ClassVar[str]
    model: ClassVar[str | None] = None
    kept = True
    """Whether emitted events are stored. If not, their projectors get the source's envelope: it has the same time and
    the same order, and another one takes a tenth of the time of a rebuild of notifications."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def emit(self, event: Event, source: Envelope, time: Millis | None = None) -> None:
        """Emit a derived event. Its time is `time`, or the time of its source."""
        if not self.kept and time is None:
            self._emit(New(event, source))
            return
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
        """Fetch the rows that the handlers of these events will read: handlers cannot await."""

    async def has_due(self) -> bool:
        """Return whether there is work that no single event causes, for example a window that ended."""
        return False

    async def emit_due(self) -> None:
        """Do a few ms of that work. Called in a transaction of its own, when there are no events to read."""
