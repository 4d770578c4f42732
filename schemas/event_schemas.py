"""Generate the JSON Schema (draft 2020-12) of an event from its class; a record names it in `ce_dataschema`.

It describes the wire form. Sealed fields are one base64 string there, `sealed`; `x-sealed` lists the fields in it and
names the account whose key opens it. Unknown fields are allowed: an optional field may be added without a new version.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec

from events.event import Event, EventType
from events.ids import AccountId, ActivityId, EventId, MediaId, Millis, NotificationId, SessionId, TweetId

Schema = dict[str, Any]


def _id(description: str) -> Schema:
    return {"description": f"{description} UUIDv7, lower case.", "type": "string", "format": "uuid"}


NAMED: dict[Any, Schema] = {
    AccountId: _id("An account."),
    TweetId: _id("A tweet; the id has the time of the tweet."),
    ActivityId: _id("A post (the tweet's id) or a retweet; the id has the time of the activity."),
    EventId: _id("An event; the id has the time of the append."),
    SessionId: _id("A session."),
    NotificationId: _id("A notification."),
    MediaId: _id("A picture or a video."),
    Millis: {"description": "Milliseconds since 1970-01-01T00:00:00Z.", "type": "integer"},
}
"""Named types of the code that JSON lacks; each gets a definition under `$defs`."""

SEALED: Schema = {
    "description": "The fields of `x-sealed` as one JSON object, encrypted with AES-256-GCM under their subject's key."
    " Missing if private fields are left out, as in GET /events.",
    "type": "string",
    "contentEncoding": "base64",
}


def schema_of(kind: EventType) -> Schema:
    """Return the schema of the event's current version, in its wire form."""
    _, components = msgspec.json.schema_components((kind.cls,), ref_template="#/$defs/{name}")
    named = _name_fields(kind.cls, components)
    body = components.pop(kind.name)
    fields: Schema = body["properties"]
    required: list[str] = body["required"]
    clear = {name: field for name, field in fields.items() if name not in kind.sealed}
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": kind.schema,
        "title": kind.name,
        "description": prose(kind.cls.__doc__),
        "x-topic": kind.topic,
        "x-key": kind.key_field,
        "x-version": kind.version,
        "type": "object",
        "properties": clear | ({"sealed": SEALED} if kind.sealed else {}),
        "required": [name for name in required if name in clear],
    }
    if kind.sealed:
        schema["x-sealed"] = {
            "subject": kind.subject_field,
            "fields": {name: fields[name] for name in kind.sealed},
            "required": [name for name in required if name in kind.sealed],
        }
    defs = components | {name.__name__: NAMED[name] for name in named}
    if defs:
        schema["$defs"] = {name: defs[name] for name in sorted(defs)}
    return schema


def prose(docstring: str | None) -> str:
    """Return a docstring with each paragraph on one line."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _name_fields(root: type[Event], components: Schema) -> set[Any]:
    """Replace the schemas of NewTypes by references to NAMED. (msgspec uses the types below them.)"""
    used: set[Any] = set()
    for struct in _structs(root, set()):
        component = components[struct.__name__]
        component["description"] = prose(struct.__doc__)
        for name, hint in get_type_hints(struct).items():
            component["properties"][name] = _named(hint, component["properties"][name], used)
    return used


def _named(hint: Any, field: Schema, used: set[Any]) -> Schema:
    if hint in NAMED:
        used.add(hint)
        default = {"default": field["default"]} if "default" in field else {}
        return {"$ref": f"#/$defs/{hint.__name__}"} | default
    if "anyOf" in field:
        hints = [part for part in get_args(hint) if part in NAMED]
        if hints:  # `TweetId | None`
            used.add(hints[0])
            return field | {"anyOf": [{"$ref": f"#/$defs/{hints[0].__name__}"}, {"type": "null"}]}
    return field


def _structs(hint: Any, seen: set[Any]) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint not in seen:
        seen.add(hint)
        yield hint
        for field in get_type_hints(hint).values():
            yield from _structs(field, seen)
    for part in get_args(hint):
        yield from _structs(part, seen)
