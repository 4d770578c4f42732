"""What the log says of imported accounts: read from it beside its owner, so that an import can go on from it.

Only fields in the clear are looked at, so nothing is opened: 2 us an event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from events.ids import AccountId, Millis, from_bytes
from events.log import Positions
from events.sqlite.log import SqliteLogReader
from runtime.embedded.log_db import open_reader

from .tweets import KnownAccount

_AT_ONCE = 5000


def _fields(log: SqliteLogReader, topic: str, kind: str, ends: Positions) -> Iterator[tuple[Millis, dict[str, Any]]]:
    """When each event of a type happened, and its fields in the clear."""
    table = log.table
    for place in table.places:
        end = ends.get(place, 0) if place.topic == topic else 0
        for after in range(0, end, _AT_ONCE):
            for row in table.rows(place, after, min(_AT_ONCE, end - after)):
                if row[2] == kind:
                    yield Millis(row[5]), table.codec.parse(row[2], row[3], row[7], from_bytes(row[1])).fields


async def known_accounts(directory: Path, master_key: Path | None) -> dict[str, KnownAccount]:
    """All accounts by folded name; none where there is no log yet."""
    if not (directory / "log.db").exists():
        return {}
    log = open_reader(directory, master_key)
    try:
        found = _fields(log, "accounts", "AccountRegistered", await log.ends())
        return {
            fields["username"].lower(): KnownAccount(AccountId(fields["account"]), fields["imported"])
            for _, fields in found
        }
    finally:
        log.table.connection.close()


class Ranking(NamedTuple):
    """Imported accounts, most imported tweets first, ties by name; and when the first imported tweet was written."""

    accounts: list[AccountId]
    first_tweet_at: Millis


async def rank(directory: Path, master_key: Path | None) -> Ranking:
    """Rank imported accounts by what was imported of them; what they did since does not count."""
    log = open_reader(directory, master_key)
    try:
        ends = await log.ends()
        names = {
            fields["account"]: fields["username"].lower()
            for _, fields in _fields(log, "accounts", "AccountRegistered", ends)
            if fields["imported"]
        }
        tweets: Counter[str] = Counter()
        first: Millis | None = None
        for time, fields in _fields(log, "tweets", "TweetPosted", ends):
            if fields.get("imported"):
                tweets[fields["author"]] += 1
                first = time if first is None else min(first, time)
    finally:
        log.table.connection.close()
    ordered = sorted(names, key=lambda account: (-tweets[account], names[account]))
    return Ranking([AccountId(account) for account in ordered], Millis(first or 0))
