"""The public timeline on SQLite: the rows of tweets, which are clustered by id, read backwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import TweetId, from_bytes

from ..pages import Page
from .binding import key_before

SCANNED = 1000
"""The maximum number of rows read for one page, so that many replies do not delay it."""


class SqlitePublicTimeline:
    """The PublicTimeline port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._connection = connection
        self._latest = """
            SELECT tweet, NOT deleted AND (reply_author IS NULL OR reply_author=author) FROM {tweets}
            WHERE tweet<? ORDER BY tweet DESC LIMIT ?""".format(**names)

    async def latest(self, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of all tweets that are not deleted, newest id first."""
        found: list[TweetId] = []
        scanned = 0
        key = b""
        cursor = self._connection.cursor()
        try:
            rows: Any = cursor.execute(self._latest, (key_before(before), SCANNED))
            for tweet, shown in rows:
                if shown:
                    if len(found) == limit:
                        return Page(found, from_bytes(key))
                    found.append(TweetId(from_bytes(tweet)))
                scanned += 1
                key = tweet
        finally:
            cursor.close()
        return Page(found, from_bytes(key) if scanned == SCANNED else None)
