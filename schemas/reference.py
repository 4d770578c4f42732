"""Write docs/reference/events.md and topics.md: each event with links to the code that produces and handles it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from events.event import BY_CLASS, EventType
from events.topics import TOPICS

from .event_schemas import prose
from .topic_files import PARTITIONS
from .wiring import Handler, handlers, producers

GENERATED = "Written by `python -m schemas.generate` from the code; edit the classes, not this page."
UP = "../.."


def events_page() -> str:
    """Return the page of all events, by topic."""
    handled, made = handlers(), producers()
    lines = ["# Events", "", GENERATED, ""]
    lines += [
        "Every event, with links to its class and to the code that makes and handles it. `key` is the field that names",
        "the entity; the events of an entity are in order. Sealed fields are encrypted with the key of the account in",
        "the named field.",
        "",
    ]
    for topic in TOPICS.values():
        lines += [f"## {topic.name}", ""]
        lines += ["| event | key | sealed | made by | handled by |", "|---|---|---|---|---|"]
        for kind in sorted((kind for kind in BY_CLASS.values() if kind.topic == topic.name), key=lambda k: k.name):
            lines.append(_row(kind, made[kind.cls], handled[kind.cls]))
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(kind: EventType, made: Iterable[str], handled: Iterable[Handler]) -> str:
    what = prose(kind.cls.__doc__).split("\n\n")[0]
    schema = f"[v{kind.version}]({UP}{kind.schema})"
    sealed = f"{_code(kind.sealed)} (`{kind.subject_field}`)" if kind.sealed else ""
    cells = (
        f"[**{kind.name}**]({_path(kind.cls.__module__)}) {schema}<br>{what}",
        f"`{kind.key_field}`",
        sealed,
        "<br>".join(_link(module) for module in made),
        "<br>".join(f"[{h.owner}.{h.method}]({_path(h.module)})" for h in handled),
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def topics_page(topics: dict[str, dict[str, Any]]) -> str:
    """Return the page of all topics. `topics` are the contents of schemas/topics."""
    lines = ["# Topics", "", GENERATED, ""]
    lines += [
        "*Source* topics are the source of truth: the command side decides their events. *Reported* topics come from",
        "the query side, and no decision reads them. *Derived* topics are computed from the source topics, and again",
        "in each rebuild. `number` identifies the topic in stored positions and is never reused. The number of",
        f"partitions depends on the profile ({_partitions()}) and never changes.",
        "",
        "| topic | kind | number | key | kept | what | producers | consumers | events |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, topic in topics.items():
        cells = (
            f"[**{name}**]({UP}/schemas/topics/{name}.yaml)",
            topic["kind"],
            str(topic["number"]),
            _code(topic["key"]),
            topic["retention"],
            topic["what"],
            "<br>".join(_link(module) for module in topic["producers"]),
            "<br>".join(_link(module) for module in topic["consumers"]),
            "<br>".join(f"[{event}](events.md#{name})" for event in topic["types"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _partitions() -> str:
    return ", ".join(f"{profile} {number}" for profile, number in PARTITIONS.items())


def _path(module: str) -> str:
    return f"{UP}/{module.replace('.', '/')}.py"


def _link(module: str) -> str:
    return f"[{module}]({_path(module)})"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
