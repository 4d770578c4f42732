"""Media on Cassandra: one row for each medium, and one for each tweet that shows it. One write a row, one read."""

from __future__ import annotations

from events.ids import AccountId, MediaId, TweetId, from_bytes, to_bytes
from events.media import MediaFinished, UploadStarted
from events.tweets import TweetPosted

from ..media import MOST_USES, Media, MediaRows, Medium
from .address import checked
from .model import Model
from .session import CassandraSession
from .sink import CassandraSink


class CassandraMediaRows:
    """The MediaRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        name = checked(keyspace)
        self._put = (
            f"INSERT INTO {name}.media (media, owner, content_type, alt, object, size, width, height)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
        )
        # A null deletes the cell, also from an older write that arrives later. A repeated event deletes it again.
        self._delete = (
            f"UPDATE {name}.media USING TIMESTAMP ? SET alt=null, object=null, size=null, deleted=true WHERE media=?"
        )
        self._use = f"INSERT INTO {name}.media_uses (media, tweet) VALUES (?, ?) USING TIMESTAMP ?"

    def started(self, event: UploadStarted) -> None:
        """Add a medium whose upload was started."""
        e = event
        about = (to_bytes(e.owner), e.content_type, e.alt, None, None, None, None)
        self._sink.write(self._put, to_bytes(e.media), *about, self._sink.stamp)

    def finished(self, event: MediaFinished) -> None:
        """Add or complete a medium whose processing finished. Its start need not be known."""
        e = event
        about = (to_bytes(e.owner), e.content_type, e.alt, e.object, e.size, e.width, e.height)
        self._sink.write(self._put, to_bytes(e.media), *about, self._sink.stamp)

    def deleted(self, media: MediaId) -> None:
        """Mark a medium as deleted and remove its alt text. The row stays."""
        self._sink.write(self._delete, self._sink.stamp, to_bytes(media))

    def used(self, event: TweetPosted) -> None:
        """Record that a tweet shows its media. The rows stay when the tweet is deleted."""
        for attachment in event.media:
            self._sink.write(self._use, to_bytes(attachment.media), to_bytes(event.tweet), self._sink.stamp)


class CassandraMedia:
    """The Media port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        self._by_id = (
            "SELECT owner, content_type, alt, object, size, width, height, deleted"
            f" FROM {checked(keyspace)}.media WHERE media=?"
        )
        self._uses = f"SELECT tweet FROM {checked(keyspace)}.media_uses WHERE media=? LIMIT {MOST_USES}"

    async def by_id(self, media: MediaId) -> Medium | None:
        """Return a medium, deleted or not; None if the id is unknown."""
        for owner, content_type, alt, object_, size, width, height, deleted in await self._session.read(
            self._by_id, (to_bytes(media),)
        ):
            if owner is not None:
                account = AccountId(from_bytes(owner))
                return Medium(media, account, content_type, alt or "", object_, size, width, height, bool(deleted))
        return None

    async def used_in(self, media: MediaId) -> list[TweetId]:
        """Return the newest `MOST_USES` tweets that show the medium, deleted ones included."""
        return [TweetId(from_bytes(tweet)) for (tweet,) in await self._session.read(self._uses, (to_bytes(media),))]


MODEL: Model[MediaRows, Media] = Model(("media", "media_uses"), CassandraMediaRows, CassandraMedia)
