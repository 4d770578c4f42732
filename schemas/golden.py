"""Golden files: each event version as it was once written, kept for ever (law 8).

A file holds the bytes as they stand in a log (`value`) and the fields as they were then, opened (`fields`). It is
written once, when a version comes, and listed in SHA256SUMS; nothing edits it afterwards.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import msgspec

from events.event import BY_NAME

from .examples import codec, examples, masters, subject_keys

MANIFEST = "SHA256SUMS"


class AlreadyGolden(Exception):
    """The version has its golden file; a change of the event takes a new version."""


def add(folder: Path, name: str) -> Path:
    """Write the golden file of an event's current version and list it. Raises AlreadyGolden, KeyError."""
    kind = BY_NAME[name]
    path = folder / f"{name}.v{kind.version}.json"
    if path.exists():
        raise AlreadyGolden(f"{path.name} is there already and is never edited; raise the event's version instead")
    _keep_keys(folder)
    new = examples()[name]
    content = {
        "type": name,
        "version": kind.version,
        "topic": kind.topic,
        "key": kind.key(new.event),
        "id": new.about.id,
        "value": codec().encode(new.event, new.about.id).decode(),
        "fields": msgspec.to_builtins(new.event),
    }
    path.write_bytes(pretty(content))
    _list(folder, path)
    return path


def pretty(content: object) -> bytes:
    """JSON for people."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _keep_keys(folder: Path) -> None:
    """The keys that open the sealed ones, as a data directory would keep them; there from the first golden on."""
    if (folder / "master.key").exists():
        return
    masters().save(folder / "master.key")
    keys = {
        subject: {"master": key.master, "wrapped": base64.b64encode(key.wrapped or b"").decode()}
        for subject, key in subject_keys().items()
    }
    (folder / "keys.json").write_bytes(pretty(keys))
    for name in ("master.key", "keys.json"):
        _list(folder, folder / name)


def _list(folder: Path, path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with (folder / MANIFEST).open("a") as manifest:
        manifest.write(f"{digest}  {path.name}\n")
