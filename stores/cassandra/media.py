"""Media on Cassandra: one row a medium, and one for each tweet that shows it. A write a row, one read."""

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
        # Nulls delete what is there by then and whatever comes late; an event that comes again deletes it again.
        self._delete = (
            f"UPDATE {name}.media USING TIMESTAMP ? SET alt=null, object=null, size=null, deleted=true WHERE media=?"
        )
        self._use = f"INSERT INTO {name}.media_uses (media, tweet) VALUES (?, ?) USING TIMESTAMP ?"

    def started(self, event: UploadStarted) -> None:
        """A medium is awaited."""
        e = event
        about = (to_bytes(e.owner), e.content_type, e.alt, None, None, None, None)
        self._sink.write(self._put, to_bytes(e.media), *about, self._sink.stamp)

    def finished(self, event: MediaFinished) -> None:
        """A medium is there, awaited or not."""
        e = event
        about = (to_bytes(e.owner), e.content_type, e.alt, e.object, e.size, e.width, e.height)
        self._sink.write(self._put, to_bytes(e.media), *about, self._sink.stamp)

    def deleted(self, media: MediaId) -> None:
        """A medium is gone, its alt text with it."""
        self._sink.write(self._delete, self._sink.stamp, to_bytes(media))

    def used(self, event: TweetPosted) -> None:
        """A tweet shows its media."""
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
        """The medium with an id, if there is or was one."""
        for owner, content_type, alt, object_, size, width, height, deleted in await self._session.read(
            self._by_id, (to_bytes(media),)
        ):
            if owner is not None:
                account = AccountId(from_bytes(owner))
                return Medium(media, account, content_type, alt or "", object_, size, width, height, bool(deleted))
        return None

    async def used_in(self, media: MediaId) -> list[TweetId]:
        """The newest tweets that show the medium."""
        return [TweetId(from_bytes(tweet)) for (tweet,) in await self._session.read(self._uses, (to_bytes(media),))]


MODEL: Model[MediaRows, Media] = Model(("media", "media_uses"), CassandraMediaRows, CassandraMedia)
