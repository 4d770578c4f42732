"""Reads the history of imported accounts from log.db, beside the process that owns it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from events.faults import parse
from events.ids import Millis, from_bytes, is_id
from events.log import Positions
from events.sqlite.log import SqliteLogReader
from events.sqlite.stored_rows import Row
from events.tweets import TweetPosted
from runtime.embedded.log_db import open_reader
from runtime.importing.history import (
    Fields,
    ImportedAccounts,
    KnownAccount,
    KnownTweet,
    by_tweet,
    known,
    known_tweet,
    ranking,
    source_of,
)

_AT_ONCE = 5000


def _stored(log: SqliteLogReader, topic: str, kind: str, ends: Positions) -> Iterator[tuple[Row, Fields]]:
    """Yield each stored event of a type, its time, and its unsealed fields."""
    table = log.table
    for place in table.places:
        end = ends.get(place, 0) if place.topic == topic else 0
        for after in range(0, end, _AT_ONCE):
            for row in table.rows(place, after, min(_AT_ONCE, end - after)):
                if row[2] == kind:
                    parsed, _ = parse(table.codec, row[2], row[3], row[7], from_bytes(row[1]))
                    if parsed is not None:
                        yield row, (Millis(row[5]), parsed.fields)


def _fields(log: SqliteLogReader, topic: str, kind: str, ends: Positions) -> Iterator[Fields]:
    """Yield the time and the unsealed fields of each event of a type."""
    return (fields for _, fields in _stored(log, topic, kind, ends))


class LogDbHistory:
    """The History port on a data directory."""

    def __init__(self, directory: Path, master_key: Path | None) -> None:
        self._directory = directory
        self._master_key = master_key

    async def known_accounts(self) -> dict[str, KnownAccount]:
        """Return all accounts by folded name; none if there is no log yet."""
        if not (self._directory / "log.db").exists():
            return {}
        log = open_reader(self._directory, self._master_key)
        try:
            return known(_fields(log, "accounts", "AccountRegistered", await log.ends()))
        finally:
            log.table.connection.close()

    async def known_tweets(self, sources: Collection[str]) -> dict[str, KnownTweet]:
        """Return the imported ones of these tweets."""
        if not (self._directory / "log.db").exists():
            return {}
        log = open_reader(self._directory, self._master_key)
        try:
            wanted, found = by_tweet(sources), dict[str, tuple[Row, dict[str, Any]]]()
            for row, (_, fields) in _stored(log, "tweets", "TweetPosted", await log.ends()):
                source = source_of(fields, wanted)
                if source is not None and is_id(fields["author"]) and is_id(fields["tweet"]):
                    found.setdefault(source, (row, fields))
            return dict(_opened(log, found))
        finally:
            log.table.connection.close()

    async def rank(self) -> ImportedAccounts:
        """Rank imported accounts by their imported tweets."""
        log = open_reader(self._directory, self._master_key)
        try:
            ends = await log.ends()
            return ranking(
                _fields(log, "accounts", "AccountRegistered", ends), _fields(log, "tweets", "TweetPosted", ends)
            )
        finally:
            log.table.connection.close()


def _opened(
    log: SqliteLogReader, found: Mapping[str, tuple[Row, Mapping[str, Any]]]
) -> Iterator[tuple[str, KnownTweet]]:
    listed = list(found.items())
    for after in range(0, len(listed), _AT_ONCE):
        part = listed[after : after + _AT_ONCE]
        records = log.table.decode([row for _, (row, _) in part])
        for (source, (_, fields)), record in zip(part, records, strict=True):
            event = record.event if isinstance(record.event, TweetPosted) else None
            yield source, known_tweet(event, fields)
