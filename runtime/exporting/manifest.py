"""The manifest of an export: what is in it, how far it has come, and a digest of each file.

It is written after the files that it names, in one step. So an export that was killed goes on at its positions, and a
reader that takes only the files of the manifest reads each event once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from events.fitting import Mark, Marks
from events.log import Positions, TopicPartition

from .destination import BadDestination, Destination

NAME = "manifest.json"
FORMAT = 1
Format = Literal["parquet", "ndjson"]


class ExportedFile(msgspec.Struct, frozen=True):
    """A file: its path, the topic and UTC day of its events, their number, and the SHA-256 of its bytes."""

    path: str
    topic: str
    date: str
    events: int
    bytes: int
    sha256: str


class Selection(msgspec.Struct, frozen=True):
    """What is exported. `since` and `until` are times of events in milliseconds; None means any time.

    `start` are the positions of the first events, in the form of a Consistency-Token.
    """

    format: Format
    topics: tuple[str, ...]
    start: str = ""
    since: int | None = None
    until: int | None = None
    unsealed: bool = False


class Manifest(msgspec.Struct):
    """The manifest. `marks` has for each partition the next offset, and the id of the event just before it."""

    selection: Selection
    version: int = FORMAT
    marks: dict[str, tuple[int, str]] = {}
    chunks: int = 0
    """How many times files were added; the number is part of their names."""
    files: list[ExportedFile] = []

    @property
    def positions(self) -> Positions:
        """The positions up to which the export has come."""
        return Positions({place: mark.next for place, mark in self.known_marks().items()})

    def known_marks(self) -> Marks:
        """Return the positions with the ids before them."""
        places = {text: next(iter(Positions.parse(f"{text}:1"))) for text in self.marks}
        return {places[text]: Mark(*mark) for text, mark in self.marks.items()}

    def reached(self, positions: Mapping[TopicPartition, int], last: Mapping[TopicPartition, str]) -> None:
        """Note new positions, and the ids of the events just before them."""
        for place, offset in positions.items():
            before = self.marks.get(str(place), (0, ""))
            if offset != before[0]:
                self.marks[str(place)] = (offset, last.get(place, ""))

    @property
    def events(self) -> int:
        """The number of exported events."""
        return sum(file.events for file in self.files)


def entry(path: str, topic: str, date: str, events: int, content: bytes) -> ExportedFile:
    """Return the entry of a file."""
    return ExportedFile(path, topic, date, events, len(content), hashlib.sha256(content).hexdigest())


def save(manifest: Manifest, to: Destination) -> None:
    """Write the manifest. Raises OSError, StoreUnavailable."""
    to.write(NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def load(source: Destination) -> Manifest | None:
    """Read the manifest; None if there is none. Raises BadDestination if it is damaged or of a newer version."""
    content = source.read(NAME)
    if content is None:
        return None
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
        manifest.known_marks()
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadDestination(f"{NAME} is damaged: {error}; export to an empty place") from None
    if manifest.version > FORMAT:
        raise BadDestination(f"{NAME} has version {manifest.version}, which takes a newer minitwitter")
    return manifest
