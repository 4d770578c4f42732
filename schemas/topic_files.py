"""The topics as YAML files, for people and for tools that create them.

`what` and `retention` are written by hand and stay. Everything else is generated: keys and types from the registry of
events, producers and consumers from the code, `kafka` from the settings with which the topics are created.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from events.event import BY_CLASS
from events.kafka.topics import settings
from events.topics import TOPICS, Topic, TopicKind

from .wiring import handlers, producers

PARTITIONS = {"embedded": 1, "tests": 4, "distributed": 16}
"""Partitions of a topic, by profile. They never change once a topic exists: a key's partition depends on the number."""
# A key of the other topics may have ids of many causes, in any order. And a batch that failed is published again
# behind its records that are there already.
_BY_ID = "records with one id are copies of each other; the last of them is in the right order"
COPIES = {
    TopicKind.SOURCE: "the ids of a key ascend; a record whose id is not above the newest one is a copy",
    TopicKind.REPORTED: _BY_ID,
    TopicKind.DERIVED: _BY_ID,
}
"""How a consumer recognises copies."""


class Undescribed(Exception):
    """The file of a topic lacks its handwritten lines: `what` and `retention`."""


def topic_file(topic: Topic, path: Path) -> str:
    """Return the YAML of a topic; `what` and `retention` come from the present file. Raises Undescribed."""
    written: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
    if not written.get("what") or not written.get("retention"):
        raise Undescribed(f"{path} lacks `what` (the topic's content) or `retention`; write these two lines by hand")
    kinds = sorted((kind for kind in BY_CLASS.values() if kind.topic == topic.name), key=lambda kind: kind.name)
    handled, made = handlers(), producers()
    content = {
        "name": topic.name,
        "kind": topic.kind.value,
        "number": topic.number,
        "what": written["what"],
        "key": sorted({kind.key_field for kind in kinds}),
        "retention": written["retention"],
        "copies": COPIES[topic.kind],
        "partitions": PARTITIONS,
        "kafka": settings(topic),
        "producers": sorted({module for kind in kinds for module in made[kind.cls]}),
        "consumers": sorted({handler.module for kind in kinds for handler in handled[kind.cls]}),
        "types": {kind.name: list(range(1, kind.version + 1)) for kind in kinds},
    }
    return _dump(content)


def topic_files(folder: Path) -> dict[Path, str]:
    """Return the YAML of every topic, by path. Raises Undescribed."""
    return {(path := folder / f"{name}.yaml"): topic_file(topic, path) for name, topic in TOPICS.items()}


class _Dumper(yaml.SafeDumper):
    """A YAML dumper without aliases, and with lists of numbers on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _sequence(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    flow = all(isinstance(item, int) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_Dumper.add_representer(list, _sequence)


def _dump(content: object) -> str:
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True))
