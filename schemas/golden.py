"""Golden files: each event version as it was first written, kept for ever (law 8).

A file holds the bytes as the log stores them (`value`) and the opened fields (`fields`). It is written once, when the
version is introduced, and listed in SHA256SUMS; nothing edits it afterwards. SHA256SUMS also lists the schemas and
examples of superseded versions, which are no longer generated.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from events.event import BY_NAME

from .examples import codec, examples, masters, subject_keys

MANIFEST = "SHA256SUMS"


class AlreadyGolden(Exception):
    """The version has a golden file already; a change of the event needs a new version."""


def add(folder: Path, name: str, superseded: Iterable[Path]) -> Path:
    """Write the golden file of an event's current version. List it and the superseded files in SHA256SUMS.

    Raises AlreadyGolden, KeyError.
    """
    kind = BY_NAME[name]
    path = folder / f"{name}.v{kind.version}.json"
    if path.exists():
        raise AlreadyGolden(f"{path.name} exists and is never edited; raise the event's version instead")
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
    _list(folder, path, *superseded)
    return path


def pretty(content: object) -> bytes:
    """Return indented JSON."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _keep_keys(folder: Path) -> None:
    """Write the keys that open the golden files, in the form of a data directory, unless they exist."""
    if (folder / "master.key").exists():
        return
    masters().save(folder / "master.key")
    keys = {
        subject: {"master": key.master, "wrapped": base64.b64encode(key.wrapped or b"").decode()}
        for subject, key in subject_keys().items()
    }
    (folder / "keys.json").write_bytes(pretty(keys))
    _list(folder, folder / "master.key", folder / "keys.json")


def _list(folder: Path, *paths: Path) -> None:
    """Add the files to SHA256SUMS that it does not list yet; `sha256sum --check` reads it."""
    manifest = folder / MANIFEST
    listed = {line.split("  ", 1)[1] for line in manifest.read_text().splitlines()} if manifest.exists() else set()
    with manifest.open("a") as file:
        for path in paths:
            name = os.path.relpath(path, folder)
            if name not in listed:
                file.write(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n")
