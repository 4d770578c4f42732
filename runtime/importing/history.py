"""What the log says of imported accounts: read from it beside its owner, so that an import can go on from it.

Only fields in the clear are looked at, so nothing is opened: 2 us an event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from events.ids import AccountId, Millis, from_bytes
from events.log import Positions
from events.sqlite.log import SqliteLogReader
from runtime.embedded.log_db import open_reader

from .tweets import KnownAccount

_AT_ONCE = 5000


Fields = tuple[Millis, dict[str, Any]]
"""When an event happened, and what it says in the clear."""


def _fields(log: SqliteLogReader, topic: str, kind: str, ends: Positions) -> Iterator[Fields]:
    """When each event of a type happened, and its fields in the clear."""
    table = log.table
    for place in table.places:
        end = ends.get(place, 0) if place.topic == topic else 0
        for after in range(0, end, _AT_ONCE):
            for row in table.rows(place, after, min(_AT_ONCE, end - after)):
                if row[2] == kind:
                    yield Millis(row[5]), table.codec.parse(row[2], row[3], row[7], from_bytes(row[1])).fields


class Ranking(NamedTuple):
    """Imported accounts, most imported tweets first, ties by name; and when the first imported tweet was written."""

    accounts: list[AccountId]
    first_tweet_at: Millis


class History(Protocol):
    """What a log says of the accounts that there are."""

    async def known_accounts(self) -> dict[str, KnownAccount]:
        """All accounts by folded name; none where there is no log yet."""
        ...

    async def rank(self) -> Ranking:
        """Rank imported accounts by what was imported of them; what they did since does not count."""
        ...


def known(registered: Iterable[Fields]) -> dict[str, KnownAccount]:
    """The accounts of AccountRegistered events, by folded name."""
    return {
        fields["username"].lower(): KnownAccount(AccountId(fields["account"]), fields["imported"])
        for _, fields in registered
    }


def ranking(registered: Iterable[Fields], posted: Iterable[Fields]) -> Ranking:
    """The ranking of AccountRegistered and TweetPosted events."""
    names = {fields["account"]: fields["username"].lower() for _, fields in registered if fields["imported"]}
    tweets: Counter[str] = Counter()
    first: Millis | None = None
    for time, fields in posted:
        if fields.get("imported"):
            tweets[fields["author"]] += 1
            first = time if first is None else min(first, time)
    ordered = sorted(names, key=lambda account: (-tweets[account], names[account]))
    return Ranking([AccountId(account) for account in ordered], Millis(first or 0))


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
