"""Records that cannot be read: the reason is told in the record, so that one of them costs no other record anything.

What every adapter of the log does with a stored record, in two steps as the codec has them: `parse` what needs no key,
fetch the keys of a batch, `finish` the event. Neither raises.
"""

from __future__ import annotations

from .codec import Codec, Parsed, UnknownEvent, UnreadableEvent
from .event import Envelope, Event
from .ids import is_id
from .sealing import KeyUnknown, SealBroken
from .validity import flaw


def one_line(error: BaseException) -> str:
    """An error in one line: its class and what it says."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]


def parse(codec: Codec, type_: str, version: int, value: bytes, id_: str) -> tuple[Parsed | None, str]:
    """What can be read of an event without a key, or why it cannot be."""
    try:
        parsed = codec.parse(type_, version, value, id_)
    except (UnknownEvent, UnreadableEvent) as error:
        return None, one_line(error)
    if parsed.subject is not None and not is_id(parsed.subject):
        return None, f"UnreadableEvent: its subject {parsed.subject[:60]!r} is no id"
    return parsed, ""


def finish(codec: Codec, parsed: Parsed, topic: str, key: str, about: Envelope) -> tuple[Event | None, str]:
    """The event, None where its subject is erased; or why it cannot be read or its values cannot be."""
    try:
        event = codec.finish(parsed)
    except (UnreadableEvent, KeyUnknown, SealBroken) as error:
        return None, one_line(error)
    wrong = "" if event is None else flaw(topic, key, event, about)
    return (None, f"UnreadableEvent: {wrong}") if wrong else (event, "")
