"""Media on SQLite: one row for each medium, clustered by id, and one for each tweet that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId, MediaId, TweetId, from_bytes, to_bytes
from events.media import MediaFinished, UploadStarted
from events.tweets import TweetPosted

from ..media import MOST_USES, Media, MediaRows, Medium
from .model import Model
from .views import Tables

MEDIA = Tables(
    model="media",
    version=2,
    tables={
        "media": """(
            media BLOB PRIMARY KEY, owner TEXT NOT NULL, content_type TEXT NOT NULL, alt TEXT NOT NULL,
            object TEXT, size INTEGER, width INTEGER, height INTEGER, deleted INTEGER NOT NULL) WITHOUT ROWID""",
        "media_uses": "(media BLOB, tweet BLOB, PRIMARY KEY (media, tweet)) WITHOUT ROWID",
    },
)


class SqliteMediaRows:
    """The MediaRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._put = "INSERT OR REPLACE INTO {media} VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)".format(**names)
        self._delete = "UPDATE {media} SET alt='', object=NULL, size=NULL, deleted=1 WHERE media=?".format(**names)
        self._use = "INSERT OR IGNORE INTO {media_uses} VALUES (?, ?)".format(**names)

    def started(self, event: UploadStarted) -> None:
        """Add a medium whose upload was started."""
        self._execute(
            self._put, (to_bytes(event.media), event.owner, event.content_type, event.alt, None, None, None, None)
        )

    def finished(self, event: MediaFinished) -> None:
        """Add or complete a medium whose processing finished. Its start need not be known."""
        e = event
        self._execute(
            self._put, (to_bytes(e.media), e.owner, e.content_type, e.alt, e.object, e.size, e.width, e.height)
        )

    def deleted(self, media: MediaId) -> None:
        """Mark a medium as deleted and remove its alt text. The row stays."""
        self._execute(self._delete, (to_bytes(media),))

    def used(self, event: TweetPosted) -> None:
        """Record that a tweet shows its media. The rows stay when the tweet is deleted."""
        for attachment in event.media:
            self._execute(self._use, (to_bytes(attachment.media), to_bytes(event.tweet)))


class SqliteMedia:
    """The Media port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._by_id = """
            SELECT owner, content_type, alt, object, size, width, height, deleted FROM {media} WHERE media=?""".format(
            **names
        )
        self._uses = "SELECT tweet FROM {media_uses} WHERE media=? ORDER BY tweet DESC LIMIT ?".format(**names)

    async def by_id(self, media: MediaId) -> Medium | None:
        """Return a medium, deleted or not; None if the id is unknown."""
        row: Any = self._execute(self._by_id, (to_bytes(media),)).fetchone()
        if row is None:
            return None
        owner, content_type, alt, object_, size, width, height, deleted = row
        return Medium(media, AccountId(owner), content_type, alt, object_, size, width, height, deleted == 1)

    async def used_in(self, media: MediaId) -> list[TweetId]:
        """Return the newest `MOST_USES` tweets that show the medium, deleted ones included."""
        rows = self._execute(self._uses, (to_bytes(media), MOST_USES))
        return [TweetId(from_bytes(tweet)) for (tweet,) in rows]


MODEL: Model[MediaRows, Media] = Model(MEDIA, SqliteMediaRows, SqliteMedia)
