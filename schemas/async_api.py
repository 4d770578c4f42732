"""The AsyncAPI 3 document: each topic is a channel, each event a message."""

from __future__ import annotations

from typing import Any

from events.event import BY_CLASS, EventType
from events.topics import TOPICS

from .event_schemas import prose
from .topic_files import PARTITIONS

HEADERS: dict[str, str] = {
    "ce_specversion": "1.0",
    "ce_id": "The event's id, a UUIDv7 issued when it was appended; ids of an entity's first copies ascend.",
    "ce_type": "The event's name.",
    "ce_source": "The installation that wrote the event.",
    "ce_time": "When the event happened, RFC 3339.",
    "ce_subject": "The entity: the record's key.",
    "ce_dataschema": "The path of the schema of the value.",
    "ce_partitionkey": "The record's key.",
    "ce_correlation": "The id of the request that caused the event.",
    "ce_causation": "The id of the event that this event was derived from.",
    "ce_actor": "The account that acted.",
    "ce_sourcepositions": "The positions of a derived record's sources, `topic-partition:offset,...`.",
    "traceparent": "W3C Trace Context.",
}
REQUIRED = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_dataschema")


def document(topics: dict[str, dict[str, Any]], version: str) -> dict[str, Any]:
    """Return the document. `topics` are the contents of schemas/topics, `version` is the project's."""
    kinds = sorted(BY_CLASS.values(), key=lambda kind: (TOPICS[kind.topic].number, kind.name))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "MiniTwitter events",
            "version": version,
            "description": "All events of MiniTwitter, in CloudEvents binary mode: the envelope is in the headers, the"
            " event is the value. Records of one key are in order; the order across keys is not guaranteed. A record"
            " may be delivered again: the ids of a key ascend, so an id that is not newer is a copy.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name, topics[name], kinds) for name in TOPICS},
        "operations": {
            f"publish-{name}": {
                "action": "send",
                "summary": f"MiniTwitter appends to {name}.",
                "channel": {"$ref": f"#/channels/{name}"},
            }
            for name in TOPICS
        },
        "components": {
            "messages": {kind.name: _message(kind) for kind in kinds},
            "messageTraits": {"cloudEvent": {"headers": _headers()}},
        },
    }


def _channel(name: str, topic: dict[str, Any], kinds: list[EventType]) -> dict[str, Any]:
    return {
        "address": name,
        "description": f"{topic['what']} Keyed by {' or '.join(topic['key'])}. Kept: {topic['retention']}.",
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"} for kind in kinds if kind.topic == name},
        "bindings": {"kafka": {"partitions": PARTITIONS["distributed"], "bindingVersion": "0.5.0"}},
    }


def _message(kind: EventType) -> dict[str, Any]:
    return {
        "name": kind.name,
        "title": f"{kind.name}, version {kind.version}",
        "summary": prose(kind.cls.__doc__).split("\n\n")[0],
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{kind.topic}/{kind.name}.v{kind.version}.json"},
        },
        "bindings": {
            "kafka": {"key": {"type": "string", "description": kind.key_field}, "bindingVersion": "0.5.0"},
        },
    }


def _headers() -> dict[str, Any]:
    properties = {
        name: {"type": "string"} | ({"const": text} if name == "ce_specversion" else {"description": text})
        for name, text in HEADERS.items()
    }
    return {"type": "object", "properties": properties, "required": list(REQUIRED)}
