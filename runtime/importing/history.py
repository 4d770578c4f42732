"""What the log says of imported accounts: read from it beside its owner, so that an import can go on from it.

Only fields in the clear are looked at, 2 us an event; the texts of tweets that are to be compared are opened. What
cannot be read is passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from events.faults import parse
from events.ids import AccountId, Millis, from_bytes, id_at, is_id, millis, without_time
from events.log import Positions
from events.sqlite.log import SqliteLogReader
from events.sqlite.records import Row
from events.tweets import TweetPosted
from runtime.embedded.log_db import open_reader

_AT_ONCE = 5000


class KnownAccount(NamedTuple):
    """An account that is there already."""

    id: AccountId
    imported: bool


class KnownTweet(NamedTuple):
    """A tweet that was imported already; `text` is None where its author is erased."""

    author: AccountId
    at: Millis
    text: str | None


Fields = tuple[Millis, dict[str, Any]]
"""When an event happened, and what it says in the clear."""


def _stored(log: SqliteLogReader, topic: str, kind: str, ends: Positions) -> Iterator[tuple[Row, Fields]]:
    """Each event of a type as it is stored, when it happened, and its fields in the clear."""
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
    """When each event of a type happened, and its fields in the clear."""
    return (fields for _, fields in _stored(log, topic, kind, ends))


class Ranking(NamedTuple):
    """Imported accounts, most imported tweets first, ties by name; and when the first imported tweet was written."""

    accounts: list[AccountId]
    first_tweet_at: Millis | None


class History(Protocol):
    """What a log says of the accounts that there are."""

    async def known_accounts(self) -> dict[str, KnownAccount]:
        """All accounts by folded name; none where there is no log yet."""
        ...

    async def known_tweets(self, sources: Collection[str]) -> dict[str, KnownTweet]:
        """Those of the tweets that were imported, by the id that their source knows them by."""
        ...

    async def rank(self) -> Ranking:
        """Rank imported accounts by what was imported of them; what they did since does not count."""
        ...


def known(registered: Iterable[Fields]) -> dict[str, KnownAccount]:
    """The accounts of AccountRegistered events, by folded name."""
    return {
        fields["username"].lower(): KnownAccount(AccountId(fields["account"]), fields["imported"])
        for _, fields in registered
        if is_id(fields["account"])
    }


def by_tweet(sources: Iterable[str]) -> Mapping[str, str]:
    """Sources by the part of their tweets' ids that does not depend on the time, which another file may have."""
    return {without_time(id_at(Millis(0), "tweet", source)): source for source in sources}


def source_of(fields: Mapping[str, Any], sources: Mapping[str, str]) -> str | None:
    """Which of the sources (`by_tweet`) a TweetPosted event was imported from."""
    return sources.get(without_time(fields["tweet"])) if fields.get("imported") else None


def known_tweet(event: TweetPosted | None, fields: Mapping[str, Any]) -> KnownTweet:
    """The tweet of a TweetPosted event, which is None where its author is erased."""
    text = None if event is None else event.text
    return KnownTweet(AccountId(fields["author"]), millis(fields["tweet"]), text)


def ranking(registered: Iterable[Fields], posted: Iterable[Fields]) -> Ranking:
    """The ranking of AccountRegistered and TweetPosted events."""
    names = {
        fields["account"]: fields["username"].lower()
        for _, fields in registered
        if fields["imported"] and is_id(fields["account"])
    }
    tweets: Counter[str] = Counter()
    first: Millis | None = None
    for time, fields in posted:
        if fields.get("imported"):
            tweets[fields["author"]] += 1
            first = time if first is None else min(first, time)
    ordered = sorted(names, key=lambda account: (-tweets[account], names[account]))
    return Ranking([AccountId(account) for account in ordered], first)


class LogDbHistory:
    """The history in a data directory."""

    def __init__(self, directory: Path, master_key: Path | None) -> None:
        self._directory = directory
        self._master_key = master_key

    async def known_accounts(self) -> dict[str, KnownAccount]:
        """All accounts by folded name; none where there is no log yet."""
        if not (self._directory / "log.db").exists():
            return {}
        log = open_reader(self._directory, self._master_key)
        try:
            return known(_fields(log, "accounts", "AccountRegistered", await log.ends()))
        finally:
            log.table.connection.close()

    async def known_tweets(self, sources: Collection[str]) -> dict[str, KnownTweet]:
        """Those of the tweets that were imported."""
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

    async def rank(self) -> Ranking:
        """Rank imported accounts by what was imported of them."""
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
