"""The AsyncAPI 3 document: every topic a channel, every event a message, for generators that read such documents."""

from __future__ import annotations

from typing import Any

from events.event import BY_CLASS, EventType
from events.topics import TOPICS

from .event_schemas import prose
from .topic_files import PARTITIONS

HEADERS: dict[str, str] = {
    "ce_specversion": "1.0",
    "ce_id": "The event's id, a UUIDv7 made when it was appended; ids of an entity's first copies ascend.",
    "ce_type": "The event's name.",
    "ce_source": "Which installation it comes from.",
    "ce_time": "When it happened, RFC 3339.",
    "ce_subject": "The entity: the record's key.",
    "ce_dataschema": "The path of the schema of the value.",
    "ce_partitionkey": "The record's key.",
    "ce_correlation": "The request it came from.",
    "ce_causation": "The event it was derived from.",
    "ce_actor": "The account that did it.",
    "ce_sourcepositions": "Of a derived record: the positions of its sources, `topic-partition:offset,...`.",
    "traceparent": "W3C Trace Context.",
}
REQUIRED = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_dataschema")


def document(topics: dict[str, dict[str, Any]], version: str) -> dict[str, Any]:
    """The document; `topics` are the contents of schemas/topics, `version` that of the project."""
    kinds = sorted(BY_CLASS.values(), key=lambda kind: (TOPICS[kind.topic].number, kind.name))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "MiniTwitter events",
            "version": version,
            "description": "Everything that happened, as topics of events in CloudEvents binary mode: the envelope in"
            " the headers, the event in the value. Records of one key stay in order; nothing is promised across keys."
            " A record may come again: ids tell, as those of a key ascend.",
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
