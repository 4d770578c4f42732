"""What the log says of imported accounts: read from it beside its owner, so that an import can go on from it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from events.accounts import AccountRegistered
from events.ids import AccountId, Millis
from events.log import Positions, positions_after
from events.tweets import TweetPosted
from runtime.embedded.log_db import open_reader

from .tweets import KnownAccount

_LIMIT = 5000


async def known_accounts(directory: Path, master_key: Path | None) -> dict[str, KnownAccount]:
    """All accounts by folded name; none where there is no log yet."""
    if not (directory / "log.db").exists():
        return {}
    log = open_reader(directory, master_key)
    known = {}
    positions = Positions()
    while records := await log.read(positions, _LIMIT, ("accounts",)):
        positions = positions_after(records, positions)
        for record in records:
            if isinstance(record.event, AccountRegistered):
                known[record.event.username.lower()] = KnownAccount(record.event.account, record.event.imported)
    log.table.connection.close()
    return known


class Ranking(NamedTuple):
    """Imported accounts, most imported tweets first, ties by name; and when the first imported tweet was written."""

    accounts: list[AccountId]
    first_tweet_at: Millis


async def rank(directory: Path, master_key: Path | None) -> Ranking:
    """Rank imported accounts by what was imported of them; what they did since does not count. 10 us a tweet."""
    log = open_reader(directory, master_key)
    names: dict[AccountId, str] = {}
    tweets: Counter[AccountId] = Counter()
    first: Millis | None = None
    positions = Positions()
    while records := await log.read(positions, _LIMIT, ("accounts", "tweets")):
        positions = positions_after(records, positions)
        for record in records:
            event = record.event
            if isinstance(event, AccountRegistered) and event.imported:
                names[event.account] = event.username.lower()
            elif isinstance(event, TweetPosted) and event.imported:
                tweets[event.author] += 1
                first = record.about.time if first is None else min(first, record.about.time)
    log.table.connection.close()
    ordered = sorted(names, key=lambda account: (-tweets[account], names[account]))
    return Ranking(ordered, Millis(first or 0))
