"""Migrations of a store: numbered files that are each applied once, in order."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from .log import NotSetUp


class MigrationRefused(NotSetUp):
    """The store and the files do not match. The message says why; nothing was changed."""


class MigrationFile(NamedTuple):
    """One file, NNN_name with a suffix."""

    number: int
    name: str
    text: str
    checksum: str


def migration_files(directory: Path, suffix: str) -> list[MigrationFile]:
    """Return the files in order. Raises MigrationRefused if they are not numbered 1, 2, 3, ..."""
    found: list[MigrationFile] = []
    for path in sorted(directory.glob(f"*{suffix}")):
        match = re.fullmatch(r"(\d{3})_[a-z0-9_]+", path.stem)
        if match is None or int(match[1]) != len(found) + 1:
            raise MigrationRefused(f"{path.name} should begin with {len(found) + 1:03}_")
        text = path.read_text()
        found.append(MigrationFile(len(found) + 1, path.name, text, hashlib.sha256(text.encode()).hexdigest()))
    return found
