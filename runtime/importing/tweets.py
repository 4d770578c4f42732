"""Reads tweets from a CSV file: columns tweet_id, created_at, username, text, and optionally lat, lon, location.

Each author becomes an imported account, registered just before its first tweet. Ids are derived from the file's
content, so importing it again changes nothing. A row that is no valid tweet is reported with its line and left out. The
file is read twice: first to collect the authors, then to import.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from html.entities import html5
from typing import NamedTuple

from command_api.domain.names import InvalidName, check_username
from command_api.text.errors import TextError
from command_api.text.validation import read_tweet
from events.entities import Entities
from events.ids import Millis
from events.tweets import Place
from rest.times import parse_rfc3339

from .csv_rows import csv_rows
from .files import ImportFile, NotSuchAFile

NEEDED = ("tweet_id", "created_at", "username", "text")
WELCOME = ("lat", "lon", "location")
EARLIEST = Millis(86_400_000)
"""1970-01-02: an account begins before its first tweet, its imported follows a day before, and no id is before 1970."""
_LONGEST_PLACE = 100
_LONGEST_NUMBER = 40
_SHOWN = 60
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


class BadRow(Exception):
    """A row that cannot be imported, and the reason."""


class Row(NamedTuple):
    """A row that is a valid tweet."""

    line: int
    source: str
    at: Millis
    username: str
    text: str
    entities: Entities
    place: Place | None


Refuse = Callable[[int, str], None]
"""Receives each row that is no valid tweet: its line, and the reason."""


def rows(source: ImportFile, now: Millis, refuse: Refuse) -> Iterator[Row]:
    """Return the valid rows; others are passed to `refuse`. Raises NotSuchAFile."""
    columns: dict[str, int] = {}
    with source.lines() as file:
        for line, values, fault in csv_rows(file, partial(_looks_whole, columns)):
            if not columns:
                columns.update(_columns(source, values))
                continue
            try:
                if fault:
                    raise BadRow(fault)
                yield _row(line, {name: values[place] for name, place in columns.items()}, now)
            except BadRow as error:
                refuse(line, str(error))
        if not columns:
            raise NotSuchAFile(f"{source.name} is empty; its first line has to name the columns")


def _columns(source: ImportFile, header: Sequence[str]) -> dict[str, int]:
    """Return the indexes of the used columns."""
    names = [name.strip() for name in header]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise NotSuchAFile(f"{source.name} has no column {', '.join(missing)}; its first line has to name the columns")
    twice = [name for name in (*NEEDED, *WELCOME) if names.count(name) > 1]
    if twice:
        raise NotSuchAFile(f"{source.name} has more than one column {', '.join(twice)}")
    return {name: names.index(name) for name in (*NEEDED, *WELCOME) if name in names}


def _looks_whole(columns: Mapping[str, int], values: Sequence[str]) -> bool:
    """Return whether a line is a row by itself. No text has a number and a time in those columns by chance."""
    if not columns or not _is_number(values[columns["tweet_id"]].strip()):
        return False
    try:
        parse_rfc3339(values[columns["created_at"]].strip())
    except ValueError:
        return False
    return True


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


def _row(line: int, fields: Mapping[str, str], now: Millis) -> Row:
    for name in NEEDED:
        _check_bytes(name, fields[name])
    number = fields["tweet_id"].strip()
    if not _is_number(number):
        raise BadRow(f"tweet_id {number[:_SHOWN]!r} is not a number")
    username = fields["username"].strip()
    try:
        check_username(username)
    except InvalidName as error:
        raise BadRow(f"username {username[:_SHOWN]!r}: {error}") from None
    at = _time(fields["created_at"].strip(), now)
    try:
        read = read_tweet(_text(fields["text"]))
    except TextError as error:
        raise BadRow(f"text: {error}") from None
    return Row(line, number.lstrip("0") or "0", at, username, read.text, read.entities, _place(fields))


def _check_bytes(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRow(f"{name}: byte 0x{ord(value[error.start]) & 0xFF:02X} is not UTF-8") from None


def _time(text: str, now: Millis) -> Millis:
    try:
        time = parse_rfc3339(text)
    except ValueError as error:
        raise BadRow(f"created_at: {error}") from None
    if time < EARLIEST:
        raise BadRow(f"created_at {text!r} is before 1970-01-02, the first day that can be imported")
    if time > now:
        raise BadRow(f"created_at {text!r} is in the future")
    return time


def _text(written: str) -> str:
    """Return the text as it was tweeted: archives write `&`, `<` and `>` as entities, and line ends as their system
    does.
    """
    return _ENTITY.sub(_decoded, written).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(entity: re.Match[str]) -> str:
    written = entity[0]
    if written[1] != "#" and written[1:] not in html5:
        return written
    # A reference to no character stays unchanged.
    decoded = html.unescape(written)
    return written if decoded in ("", "\N{REPLACEMENT CHARACTER}") else decoded


def _place(fields: Mapping[str, str]) -> Place | None:
    lat, lon = _degrees(fields.get("lat"), 90), _degrees(fields.get("lon"), 180)
    name: str | None = " ".join(_text(fields.get("location") or "").split())
    if not name or len(name) > _LONGEST_PLACE or not name.isprintable():
        name = None
    if lat is None or lon is None:
        lat = lon = None
    return Place(lat=lat, lon=lon, name=name) if name is not None or lat is not None else None


def _degrees(text: str | None, most: int) -> float | None:
    """Return a coordinate; None if it is missing or invalid: the tweet is imported without its place."""
    try:
        degrees = float(text or "nan")
    except ValueError:
        return None
    return degrees if math.isfinite(degrees) and abs(degrees) <= most else None
