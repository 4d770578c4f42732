"""Event classes, their registration, and the mark `@on` of the methods that handle them.

An event is an immutable msgspec.Struct named in the past tense. `@event(...)` declares its topic, its key field, its
sealed fields and the field with the account whose key seals them. `@on(Event)` marks the method that handles the event,
so a search for the event's name finds all of its handlers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import msgspec

from .ids import EventId, Millis


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Something that happened. Subclasses carry the fields that decisions and projections need, not the fields a page
    shows.
    """


@dataclass(frozen=True, slots=True)
class EventType:
    """The declaration of an event class, as `@event` registered it."""

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
        """The path of this version's JSON Schema, as in the header `ce_dataschema`."""
        return f"/schemas/{self.topic}/{self.name}.v{self.version}.json"

    def key(self, event: Event) -> str:
        """Return the key of the event's entity within its topic."""
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

    The fields in `sealed` are encrypted together, with the key of the account in the field `subject`. `opens_subject`
    marks the event that creates an account: the account's key is created in the same transaction.
    """

    def register(cls: type[E]) -> type[E]:
        if sealed and subject is None:
            raise TypeError(f"{cls.__name__} seals fields, so it needs `subject`, the field with the account")
        if cls.__name__ in BY_NAME:
            raise TypeError(f"two events are called {cls.__name__}")
        kind = EventType(cls, cls.__name__, version, topic, key, sealed, subject, opens_subject)
        BY_CLASS[cls] = BY_NAME[cls.__name__] = kind
        return cls

    return register


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """The metadata of an event: its CloudEvents attributes and its tracing attributes.

    `time` is when the event happened. Its id says when it was appended: an imported tweet has an old time and a new id.
    Only derived records have `source_positions`.
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
    """Mark a method `(self, event, about)` as the handler of an event class."""

    def mark(method: Callable[[Any, E, Envelope], None]) -> Callable[[Any, E, Envelope], None]:
        method.__dict__.setdefault("handles", []).append(cls)
        return method

    return mark


class Handles:
    """Base of classes with `@on` methods. `handlers` maps each event class to its method."""

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
        """Return the topics of the events that this class handles."""
        return frozenset(BY_CLASS[event].topic for event in cls.handlers)

    def handle(self, event: Event, about: Envelope) -> None:
        """Call the method that is marked for this event; ignore events without one."""
        handler = self.handlers.get(type(event))
        if handler is not None:
            handler(self, event, about)
