"""Reads a CSV file row by row, each with its first line number. A broken row does not affect other rows.

A quote that is not closed would include the following rows, up to the next quote or the end of the file. So a row of
several lines is accepted only if it has the right number of columns and none of its lines is a valid row by itself.
Otherwise its first line is refused, and reading continues with its second line.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TextIO

MOST_LINES = 1_000
MOST_CHARACTERS = 1 << 20
"""The maximum length of a row's further lines, in characters. It bounds how much is read twice."""

OPEN_QUOTE = "a quote is not closed, or stands where none may stand"
WRONG_WIDTH = "the row has too few or too many columns"

csv.field_size_limit(1 << 30)


class _TooLong(Exception):
    """A row is longer than MOST_CHARACTERS."""


class CsvRow(NamedTuple):
    """The values of a row, or its fault."""

    line: int
    values: Sequence[str]
    fault: str = ""


class _Lines:
    """The lines of a file for the csv module. Lines of the current row can be put back."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self.number = 1
        self.row: list[str] = []
        self._characters = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._file)
        self._characters += len(line) if self.row else 0
        self.row.append(line)
        if len(self.row) > MOST_LINES or self._characters > MOST_CHARACTERS:
            raise _TooLong
        return line

    def begin_row(self) -> None:
        """Begin a row with the next line."""
        self.number += len(self.row)
        self.row = []
        self._characters = 0

    def put_back_all_but_the_first(self) -> None:
        """Put back all lines of the row but its first."""
        self._again.extendleft(reversed(self.row[1:]))
        del self.row[1:]


def csv_rows(file: TextIO, is_row: Callable[[Sequence[str]], bool]) -> Iterator[CsvRow]:
    """Return the rows, the header first. All have as many values as the header. `is_row` detects lines that are valid
    rows.
    """
    lines = _Lines(file)
    reader = csv.reader(lines, strict=True)
    width = 0
    while True:
        lines.begin_row()
        try:
            values = next(reader)
        except StopIteration:
            return
        except (csv.Error, _TooLong):
            values = []
            fault = OPEN_QUOTE
        else:
            if not values:
                continue
            width = width or len(values)
            fault = "" if len(values) == width else WRONG_WIDTH
            if len(lines.row) > 1 and (fault or any(_is_whole(line, width, is_row) for line in lines.row[1:])):
                fault = OPEN_QUOTE
        if fault == OPEN_QUOTE:
            lines.put_back_all_but_the_first()
            reader = csv.reader(lines, strict=True)
        yield CsvRow(lines.number, [] if fault else values, fault)


def _is_whole(line: str, width: int, is_row: Callable[[Sequence[str]], bool]) -> bool:
    try:
        values = next(csv.reader([line], strict=True), [])
    except csv.Error:
        return False
    return len(values) == width and is_row(values)
