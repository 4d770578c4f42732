"""Media in the decision state on SQLite: what each is, and which tweets show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw
import msgspec

from events.ids import AccountId, MediaId, to_bytes
from events.media import Attachment, MediaFinished, UploadStarted
from events.tweets import TweetPosted

from ..facts import Media, MediaInUse, MediaOf, Question

MEDIA_TABLES: dict[str, str] = {
    "decision_media": """(
        media BLOB PRIMARY KEY, owner TEXT NOT NULL, attachment BLOB NOT NULL, object TEXT, size INTEGER,
        deleted INTEGER NOT NULL
        ) WITHOUT ROWID""",
    "decision_media_uses": "(media BLOB, tweet BLOB, PRIMARY KEY (media, tweet)) WITHOUT ROWID",  # deleted tweets too
}

_encode = msgspec.json.Encoder().encode
_attachment = msgspec.json.Decoder(Attachment).decode


class SqliteMediaRows:
    """The part of the DecisionRows port, and of the answers, that is about media."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.media_answers: dict[type[Question[Any]], Callable[[Any], Any]] = {
            MediaOf: self._media_of,
            MediaInUse: self._media_in_use,
        }

    def media_used(self, event: TweetPosted) -> None:
        """A tweet shows its media, until it is deleted."""
        for attachment in event.media:
            self.connection.execute(
                "INSERT INTO decision_media_uses VALUES (?, ?)", (to_bytes(attachment.media), to_bytes(event.tweet))
            )

    def upload(self, event: UploadStarted) -> None:
        """A medium is awaited."""
        attachment = Attachment(media=event.media, content_type=event.content_type, alt=event.alt)
        self._medium(event.owner, attachment, None, None)

    def finished(self, event: MediaFinished) -> None:
        """A medium is there."""
        attachment = Attachment(
            media=event.media,
            content_type=event.content_type,
            width=event.width,
            height=event.height,
            alt=event.alt,
        )
        self._medium(event.owner, attachment, event.object, event.size)

    def _medium(self, owner: AccountId, attachment: Attachment, object_: str | None, size: int | None) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO decision_media VALUES (?, ?, ?, ?, ?, 0)",
            (to_bytes(attachment.media), owner, _encode(attachment), object_, size),
        )

    def media_deleted(self, media: MediaId) -> None:
        """A medium is gone; only its key is kept, so that the object can be removed again."""
        left = Attachment(media=media, content_type="")
        self.connection.execute(
            "UPDATE decision_media SET attachment=?, deleted=1 WHERE media=?", (_encode(left), to_bytes(media))
        )

    def _media_of(self, question: MediaOf) -> Media | None:
        row: Any = self.connection.execute(
            "SELECT owner, attachment, object, size, deleted FROM decision_media WHERE media=?",
            (to_bytes(question.media),),
        ).fetchone()
        return None if row is None else Media(AccountId(row[0]), _attachment(row[1]), row[2], row[3], bool(row[4]))

    def _media_in_use(self, question: MediaInUse) -> bool:
        row: Any = self.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM decision_media_uses AS u CROSS JOIN decision_tweets AS t ON t.tweet=u.tweet"
            " WHERE u.media=? AND NOT t.deleted)",
            (to_bytes(question.media),),
        ).fetchone()
        return bool(row[0])
