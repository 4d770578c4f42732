"""Media on SQLite: one row a medium, clustered by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId, MediaId, to_bytes
from events.media import MediaFinished, UploadStarted

from ..media import Medium
from .views import Tables

MEDIA = Tables(
    model="media",
    version=1,
    tables={
        "media": """(
            media BLOB PRIMARY KEY, owner TEXT NOT NULL, content_type TEXT NOT NULL, alt TEXT NOT NULL,
            object TEXT, size INTEGER, width INTEGER, height INTEGER, deleted INTEGER NOT NULL) WITHOUT ROWID"""
    },
)


class SqliteMediaRows:
    """The MediaRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._put = "INSERT OR REPLACE INTO {media} VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)".format(**names)
        self._delete = "UPDATE {media} SET alt='', object=NULL, size=NULL, deleted=1 WHERE media=?".format(**names)

    def started(self, event: UploadStarted) -> None:
        """A medium is awaited."""
        self._execute(
            self._put, (to_bytes(event.media), event.owner, event.content_type, event.alt, None, None, None, None)
        )

    def finished(self, event: MediaFinished) -> None:
        """A medium is there."""
        e = event
        self._execute(
            self._put, (to_bytes(e.media), e.owner, e.content_type, e.alt, e.object, e.size, e.width, e.height)
        )

    def deleted(self, media: MediaId) -> None:
        """A medium is gone."""
        self._execute(self._delete, (to_bytes(media),))


class SqliteMedia:
    """The Media port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._by_id = """
            SELECT owner, content_type, alt, object, size, width, height, deleted FROM {media} WHERE media=?""".format(
            **names
        )

    async def by_id(self, media: MediaId) -> Medium | None:
        """The medium with an id."""
        row: Any = self._execute(self._by_id, (to_bytes(media),)).fetchone()
        if row is None:
            return None
        owner, content_type, alt, object_, size, width, height, deleted = row
        return Medium(media, AccountId(owner), content_type, alt, object_, size, width, height, deleted == 1)
