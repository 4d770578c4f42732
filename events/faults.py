"""Decode stored records, and report a record that cannot be read as a fault instead of an error.

Each log adapter calls `parse` for a batch, fetches the keys of the batch, and calls `finish`. Neither function raises,
so one bad record does not keep the others from being read.
"""

from __future__ import annotations

from .codec import PLAIN, UNREADABLE, Codec, ParsedEvent, UnknownEvent, UnreadableEvent
from .event import Envelope, Event
from .ids import is_id
from .sealing import KeyUnknown, SealBroken
from .validity import flaw


def one_line(error: BaseException) -> str:
    """Format an error in one line of at most 500 characters: its class and its message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]


def plain(type_: str, version: int, value: bytes, topic: str, key: str, about: Envelope) -> Event | None:
    """Decode an event without sealed fields, of its current version, in one go: most events are of this kind.

    Returns None for all others, and for a record with any fault: `parse` and `finish` name it. They take 1 us longer.
    """
    decoder = PLAIN.get((type_, version))
    if decoder is None:
        return None
    try:
        event = decoder.decode(value)
        return None if flaw(topic, key, event, about) else event
    except UNREADABLE:
        return None


def parse(codec: Codec, type_: str, version: int, value: bytes, id_: str) -> tuple[ParsedEvent | None, str]:
    """Return the part of an event that needs no key, or None and the fault."""
    try:
        parsed = codec.parse(type_, version, value, id_)
    except (UnknownEvent, UnreadableEvent) as error:
        return None, one_line(error)
    if parsed.subject is not None and not is_id(parsed.subject):
        return None, f"UnreadableEvent: its subject {parsed.subject[:60]!r} is no id"
    return parsed, ""


def finish(codec: Codec, parsed: ParsedEvent, topic: str, key: str, about: Envelope) -> tuple[Event | None, str]:
    """Return the event and an empty fault. The event is None if its subject is erased, or if the fault is not empty."""
    try:
        event = codec.finish(parsed)
    except (UnreadableEvent, KeyUnknown, SealBroken) as error:
        return None, one_line(error)
    wrong = "" if event is None else flaw(topic, key, event, about)
    return (None, f"UnreadableEvent: {wrong}") if wrong else (event, "")
