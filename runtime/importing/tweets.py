"""Tweets from a CSV file: columns tweet_id, created_at, username, text, and, if they are there, lat, lon, location.

Every author becomes an imported account that begins just before its first tweet. Ids are made of what is in the file,
so importing it again finds everything there. A row that cannot be a tweet is named with its line and left out.
"""

from __future__ import annotations

import csv
import html
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from command_api.domain.names import InvalidName, check_username
from command_api.text.entities import extract
from command_api.text.errors import TextError
from command_api.text.validation import check_tweet
from events.ids import AccountId, Millis, id_at
from events.tweets import Place
from rest.times import parse_rfc3339
from runtime.control import Import, NewAccount, NewTweet

from .batches import ROWS_A_BATCH, Ask, Summary, hand_over

NEEDED = ("tweet_id", "created_at", "username", "text")
_LONGEST_PLACE = 100


class NotSuchAFile(Exception):
    """The file is not what it is said to be; nothing of it was imported."""


class BadRow(Exception):
    """A row that cannot be imported, and why."""


class Row(NamedTuple):
    """One row, as far as every pass needs it."""

    line: int
    source: str
    at: Millis
    username: str
    fields: Mapping[str, str]


class KnownAccount(NamedTuple):
    """An account that is there already."""

    id: AccountId
    imported: bool


def rows(path: Path, refuse: Callable[[int, str], None]) -> Iterator[Row]:
    """The rows, checked as far as `Row` goes; others are given to `refuse`. Raises NotSuchAFile."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise NotSuchAFile(f"{path} has no column {', '.join(missing)}; its first line has to name the columns")
            line = reader.line_num + 1
            for fields in reader:
                try:
                    yield _row(line, fields)
                except BadRow as error:
                    refuse(line, str(error))
                line = reader.line_num + 1
    except OSError as error:
        raise NotSuchAFile(f"{path} cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise NotSuchAFile(f"{path} is not CSV in UTF-8: {error}") from None


def _row(line: int, fields: dict[str, str]) -> Row:
    if any(fields.get(name) is None for name in NEEDED) or None in fields:
        raise BadRow("the row has too few or too many columns")
    source = fields["tweet_id"].strip()
    if not (source.isascii() and source.isdigit()):
        raise BadRow(f"tweet_id {source!r} is not a number")
    username = fields["username"].strip()
    try:
        check_username(username)
    except InvalidName as error:
        raise BadRow(f"username {username!r}: {error}") from None
    return Row(line, source, _time(fields["created_at"]), username, fields)


def _time(text: str) -> Millis:
    try:
        time = parse_rfc3339(text.strip())
    except ValueError as error:
        raise BadRow(f"created_at: {error}") from None
    if time < 0:
        raise BadRow(f"created_at {text!r} is before 1970")
    return time


class Contents(NamedTuple):
    """What the first pass over a file finds: how many rows it has, and its authors with their first tweet's time."""

    rows: int
    authors: dict[str, tuple[str, Millis]]


def survey(path: Path) -> Contents:
    """The first pass: authors by folded name, each with the name as first written."""
    count = 0
    authors: dict[str, tuple[str, Millis]] = {}

    def refused(line: int, reason: str) -> None:
        nonlocal count
        count += 1

    for row in rows(path, refused):
        count += 1
        folded = row.username.lower()
        name, first = authors.get(folded, (row.username, row.at))
        authors[folded] = (name, min(first, row.at))
    return Contents(count, authors)


def accounts(contents: Contents, known: Mapping[str, KnownAccount]) -> dict[str, NewAccount]:
    """The accounts to begin, by folded name, leaving out the known; the same file gives the same ids."""
    fresh = {}
    for folded, (name, first) in contents.authors.items():
        if folded not in known:
            begins = Millis(first - 1)
            fresh[folded] = NewAccount(AccountId(id_at(begins, "import", folded)), name, name, begins)
    return fresh


class Reading:
    """The second pass: rows to tweets, each source id once."""

    def __init__(self, ids: Mapping[str, AccountId], now: Millis, summary: Summary) -> None:
        self._ids = ids
        self._now = now
        self._summary = summary
        self._seen: set[str] = set()

    def batches(self, path: Path) -> Iterator[Import]:
        """The tweets of a file, in batches."""
        tweets: list[NewTweet] = []
        for row in rows(path, self._summary.refuse):
            if row.source in self._seen:
                self._summary.duplicates += 1
                continue
            self._seen.add(row.source)
            try:
                tweets.append(self._tweet(row))
            except BadRow as error:
                self._summary.refuse(row.line, str(error))
            if len(tweets) == ROWS_A_BATCH:
                yield Import(tweets=tuple(tweets))
                tweets = []
        if tweets:
            yield Import(tweets=tuple(tweets))

    def _tweet(self, row: Row) -> NewTweet:
        author = self._ids.get(row.username.lower())
        if author is None:
            raise BadRow(f"username {row.username!r} is that of an account which was not imported")
        if row.at > self._now:
            raise BadRow(f"created_at {row.fields['created_at']!r} is in the future")
        try:
            text = check_tweet(html.unescape(row.fields["text"]))
        except TextError as error:
            raise BadRow(f"text: {error}") from None
        return NewTweet(row.line, author, row.source, row.at, text, extract(text), _place(row.fields))


def _place(fields: Mapping[str, str]) -> Place | None:
    lat, lon = _degrees(fields.get("lat"), 90), _degrees(fields.get("lon"), 180)
    name: str | None = " ".join(html.unescape(fields.get("location") or "").split())
    if not name or len(name) > _LONGEST_PLACE or not name.isprintable():
        name = None
    if lat is None or lon is None:
        lat = lon = None
    return Place(lat=lat, lon=lon, name=name) if name is not None or lat is not None else None


def _degrees(text: str | None, most: int) -> float | None:
    """A coordinate; None for none, and for what is none: a tweet is worth more than its place."""
    try:
        degrees = float(text or "nan")
    except ValueError:
        return None
    return degrees if math.isfinite(degrees) and abs(degrees) <= most else None


async def import_tweets(
    ask: Ask,
    path: Path,
    known: Mapping[str, KnownAccount],
    now: Millis,
    begin: Callable[[int], None],
    advance: Callable[[int], None],
) -> Summary:
    """Import a file; `begin` is told how many steps there are, `advance` how many are done. Raises NotSuchAFile."""
    contents = survey(path)
    fresh = accounts(contents, known)
    begin(len(fresh) + contents.rows)
    people = Summary()
    listed = list(fresh.values())
    parts = (listed[i : i + ROWS_A_BATCH] for i in range(0, len(listed), ROWS_A_BATCH))
    await hand_over(ask, (Import(accounts=tuple(part)) for part in parts), people, advance)
    ids = {folded: account.id for folded, account in known.items() if account.imported}
    ids |= {folded: account.account for folded, account in fresh.items()}
    summary = Summary(rows=contents.rows)
    done = 0

    def advanced(commands: int) -> None:
        nonlocal done
        # Rows that became no command are steps as well.
        passed = commands + summary.duplicates + len(summary.refused) - done
        done = summary.duplicates + len(summary.refused)
        advance(passed)

    await hand_over(ask, Reading(ids, now, summary).batches(path), summary, advanced)
    summary.refused.sort()
    return summary
