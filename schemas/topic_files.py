"""The topics as YAML, for people and for whoever creates them; what the code knows is written from the code.

`what` and `retention` are written by hand and kept. Everything else is found: the keys and types in the registry of
events, the producers and consumers in the code that makes and handles them, `kafka` in what the topics are created as.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from events.event import BY_CLASS
from events.kafka.topics import settings
from events.topics import TOPICS, Kind, Topic

from .wiring import handlers, producers

PARTITIONS = {"embedded": 1, "tests": 4, "distributed": 16}
"""By profile. They never change once a topic is there: a key's partition follows from their number."""
# A key of the others may have ids of many causes, in any order; and a batch that failed is published again behind what
# of it stands there already.
_BY_ID = "records with one id are copies, wherever they stand; the last of them is in its place"
COPIES = {
    Kind.SOURCE: "the ids of a key ascend; what is not above the newest one is a copy",
    Kind.REPORTED: _BY_ID,
    Kind.DERIVED: _BY_ID,
}
"""How a consumer tells copies."""


class Undescribed(Exception):
    """A topic's file does not say what only a person can: what it is, and how long it is kept."""


def topic_file(topic: Topic, path: Path) -> str:
    """The YAML of a topic; `what` and `retention` come from the file as it is. Raises Undescribed."""
    written: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
    if not written.get("what") or not written.get("retention"):
        raise Undescribed(f"{path} has to say `what` the topic is and its `retention`; write those two lines by hand")
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
    """Every topic's file."""
    return {(path := folder / f"{name}.yaml"): topic_file(topic, path) for name, topic in TOPICS.items()}


class _Dumper(yaml.SafeDumper):
    """Without aliases, and lists of numbers on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _sequence(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    flow = all(isinstance(item, int) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_Dumper.add_representer(list, _sequence)


def _dump(content: object) -> str:
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True))
