"""The files to import. A pipe is copied to a temporary file, because files are read twice."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

STANDARD_INPUT = Path("-")
_WIDE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
"""The byte order marks of encodings that spreadsheets write."""


class NotSuchAFile(Exception):
    """The file does not have the stated format; nothing was imported."""


class ImportFile(NamedTuple):
    """A file that can be read from its beginning, and its name for messages."""

    path: Path
    name: str

    @contextmanager
    def lines(self) -> Iterator[TextIO]:
        """Open it as text. A byte that is not UTF-8 becomes a lone surrogate, which no tweet may have. Raises
        NotSuchAFile.
        """
        try:
            with self.path.open("rb") as file:
                wide = _WIDE.get(file.read(2))
            if wide is not None:
                raise NotSuchAFile(f"{self.name} is {wide}; save it as UTF-8")
            with self.path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as text:
                yield text
        except OSError as error:
            raise NotSuchAFile(f"{self.name} cannot be read: {error.strerror}") from None


@contextmanager
def source_of(path: Path) -> Iterator[ImportFile]:
    """Open the named file or pipe, or standard input for `-`. Raises NotSuchAFile."""
    if path.is_file():
        yield ImportFile(path, str(path))
        return
    name = "standard input" if path == STANDARD_INPUT else str(path)
    if path != STANDARD_INPUT and not path.exists():
        raise NotSuchAFile(f"there is no file {path}")
    with tempfile.NamedTemporaryFile() as kept:
        try:
            if path == STANDARD_INPUT:
                shutil.copyfileobj(sys.stdin.buffer, kept)
            else:
                with path.open("rb") as pipe:
                    shutil.copyfileobj(pipe, kept)
        except IsADirectoryError:
            raise NotSuchAFile(f"{path} is a directory") from None
        kept.flush()
        yield ImportFile(Path(kept.name), name)
