"""Encode events to bytes and decode them: JSON, with sealed fields in one base64 string under `sealed`.

msgspec writes and reads an event of twelve fields in about 2 us, five times as fast as dataclasses with a JSON library
(docs/adr/0002-codec.md). Decoding has two steps, `parse` and `finish`, so that the keys of a whole batch are fetched at
once in between.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from . import accounts as accounts
from . import engagement as engagement
from . import graph as graph
from . import media as media
from . import notifications as notifications
from . import operations as operations
from . import personal as personal
from . import public_tweets as public_tweets
from . import sentiment as sentiment
from . import trends as trends
from . import tweets as tweets
from . import usage as usage
from .event import BY_CLASS, BY_NAME, Event, EventType
from .sealing import Sealer
from .upcasters import UPCASTERS


class UnknownEvent(Exception):
    """The log holds an event type or version that a newer version of this software wrote."""


class UnreadableEvent(Exception):
    """The bytes cannot be decoded as an event of the stated type and version."""


class ParsedEvent(NamedTuple):
    """A half-decoded event. `subject` is the account whose key opens the sealed fields; None if nothing is sealed.

    `whole` is the finished event if it needs neither a key nor an upcaster; else `fields` has its JSON fields.
    """

    kind: EventType
    id: str
    version: int
    whole: Event | None
    fields: dict[str, Any]
    subject: str | None


UNREADABLE = (msgspec.MsgspecError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""The errors that decoding and upcasting raise if the bytes are not an event of the stated type."""

_encoder = msgspec.json.Encoder()
_decoders: dict[str, msgspec.json.Decoder[Event]] = {
    name: msgspec.json.Decoder(kind.cls) for name, kind in BY_NAME.items() if not kind.sealed
}
PLAIN: dict[tuple[object, object], msgspec.json.Decoder[Event]] = {
    (name, BY_NAME[name].version): decoder for name, decoder in _decoders.items()
}
"""The decoders of events without sealed fields, by type and current version."""
_plain = msgspec.json.Decoder(dict[str, Any])
_clear_fields: dict[type[Event], tuple[str, ...]] = {
    cls: tuple(f for f in cls.__struct_fields__ if f not in kind.sealed) for cls, kind in BY_CLASS.items()
}


class Codec:
    """Encode and decode events with the keys of one sealer."""

    def __init__(self, sealer: Sealer) -> None:
        self.sealer = sealer

    def subject(self, event: Event) -> str | None:
        """Return the account whose key `encode` needs; None if the event has no sealed fields."""
        kind = BY_CLASS[type(event)]
        return str(getattr(event, kind.subject_field)) if kind.sealed and kind.subject_field else None

    def encode(self, event: Event, id_: str) -> bytes:
        """Encode the event as JSON. Raises KeyUnknown if the sealer does not hold the subject's key."""
        kind = BY_CLASS[type(event)]
        if not kind.sealed:
            return _encoder.encode(event)
        secret = _encoder.encode({name: getattr(event, name) for name in kind.sealed})
        fields = {name: getattr(event, name) for name in _clear_fields[kind.cls]}
        assert kind.subject_field is not None
        fields["sealed"] = self.sealer.seal(fields[kind.subject_field], kind.name, id_, secret)
        return _encoder.encode(fields)

    def parse(self, name: str, version: int, value: bytes, id_: str) -> ParsedEvent:
        """Decode the part of an event that needs no key. Raises UnknownEvent, UnreadableEvent."""
        kind = BY_NAME.get(name)
        if kind is not None and version < 1:
            raise UnreadableEvent(f"{name} {id_}: versions are counted from 1, and this says {version}")
        if kind is None or version > kind.version:
            raise UnknownEvent(f"{name} version {version} is not known here; it takes a newer version of minitwitter")
        try:
            if not kind.sealed and version == kind.version:
                return ParsedEvent(kind, id_, version, _decoders[name].decode(value), {}, None)
            fields = _plain.decode(value)
        except UNREADABLE as error:
            raise UnreadableEvent(f"{name} {id_}: {error}") from error
        subject = str(fields.get(kind.subject_field or "")) if "sealed" in fields else None
        return ParsedEvent(kind, id_, version, None, fields, subject)

    def finish(self, parsed: ParsedEvent) -> Event | None:
        """Return the event; None if its subject's key is destroyed. Raises UnreadableEvent, KeyUnknown, SealBroken."""
        if parsed.whole is not None:
            return parsed.whole
        fields, kind = parsed.fields, parsed.kind
        if parsed.subject is not None and self.sealer.erased(parsed.subject):
            return None
        try:
            if parsed.subject is not None:
                sealed = fields.pop("sealed")
                fields.update(_plain.decode(self.sealer.open(parsed.subject, kind.name, parsed.id, sealed)))
            for version in range(parsed.version, kind.version):
                fields = UPCASTERS[kind.name, version](fields)
            return msgspec.convert(fields, kind.cls)
        except UNREADABLE as error:
            raise UnreadableEvent(f"{kind.name} {parsed.id}: {error}") from error
