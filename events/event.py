"""What an event is, how a class becomes one, and how a handler says which it handles.

An event is an immutable msgspec.Struct named in the past tense. `@event(...)` says to which topic it goes, which of
its fields is the key, which are sealed and with whose key; `@on(Event)` marks the method that handles it, so that
every handler of an event is found by searching for its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import msgspec

from .ids import EventId, Millis


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Something that happened. Subclasses carry what decisions and projections need, not what a page shows."""


@dataclass(frozen=True, slots=True)
class EventType:
    """What is known about a class of events."""

    cls: type[Event]
    name: str
    version: int
    topic: str
    key_field: str
    sealed: tuple[str, ...]
    subject_field: str | None
    opens_subject: bool

    @property
    def schema(self) -> str:
        """Path of the JSON Schema of this version, as in `ce_dataschema`."""
        return f"/schemas/{self.topic}/{self.name}.v{self.version}.json"

    def key(self, event: Event) -> str:
        """The entity the event belongs to, within its topic."""
        return str(getattr(event, self.key_field))


E = TypeVar("E", bound=Event)

BY_CLASS: dict[type[Event], EventType] = {}
BY_NAME: dict[str, EventType] = {}


def event(
    *,
    topic: str,
    key: str,
    version: int = 1,
    sealed: tuple[str, ...] = (),
    subject: str | None = None,
    opens_subject: bool = False,
) -> Callable[[type[E]], type[E]]:
    """Register a class as the current version of an event.

    `sealed` fields are encrypted together with the key of the account in `subject`; `opens_subject` says that the
    event begins an account, so that its key is made in the same transaction.
    """

    def register(cls: type[E]) -> type[E]:
        if sealed and subject is None:
            raise TypeError(f"{cls.__name__} seals fields, so it has to say whose key seals them")
        if cls.__name__ in BY_NAME:
            raise TypeError(f"two events are called {cls.__name__}")
        kind = EventType(cls, cls.__name__, version, topic, key, sealed, subject, opens_subject)
        BY_CLASS[cls] = BY_NAME[cls.__name__] = kind
        return cls

    return register


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What is known about an event besides its own fields: the CloudEvents attributes and the tracing ones.

    `time` is when it happened, `recorded` (the id's) when it was appended: an imported tweet has an old time in a
    new id. `source_positions` is set on derived records only.
    """

    id: EventId
    time: Millis
    correlation: str = ""
    causation: str = ""
    actor: str = ""
    traceparent: str = ""
    source_positions: str = ""


Handler = Callable[[Any, Any, Envelope], None]


def on(
    cls: type[Event],
) -> Callable[[Callable[[Any, E, Envelope], None]], Callable[[Any, E, Envelope], None]]:
    """Mark a method `(self, event, about)` as the handler of a class of events."""

    def mark(method: Callable[[Any, E, Envelope], None]) -> Callable[[Any, E, Envelope], None]:
        method.__dict__.setdefault("handles", []).append(cls)
        return method

    return mark


class Handles:
    """Something with `@on` methods. `handlers` is the table that the marks make."""

    handlers: ClassVar[dict[type[Event], Handler]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        table = dict(cls.handlers)
        for method in list(vars(cls).values()):
            for handled in getattr(method, "handles", ()):
                table[handled] = method
        cls.handlers = table

    @classmethod
    def topics(cls) -> frozenset[str]:
        """The topics of the events it handles."""
        return frozenset(BY_CLASS[event].topic for event in cls.handlers)

    def handle(self, event: Event, about: Envelope) -> None:
        """Hand an event to the method marked for it; other events are none of this one's business."""
        handler = self.handlers.get(type(event))
        if handler is not None:
            handler(self, event, about)
