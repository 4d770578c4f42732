"""Notifications on Cassandra: by recipient and day, then by kind; likes and retweets also by their tweet.

A notification takes one write or two, a withdrawal one, since its event names neither kind nor tweet. A page of all
kinds merges a page of each kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence

from events.ids import AccountId, NotificationId, TweetId, from_bytes, millis, timestamp, to_bytes

from ..notifications import (
    GROUPED,
    KINDS,
    Group,
    Member,
    Notification,
    NotificationRows,
    Notifications,
    Raised,
    ReadMarks,
)
from ..pages import Page
from .address import checked
from .buckets import DAY_MS, MONTH_MS, ListedRows, Listing, ListingReader
from .model import Model
from .session import CassandraSession, Row
from .sink import CassandraSink

# The kind is not part of the partition key, but is passed like an owner column.
BY_KIND = Listing("notifications", ("recipient", "kind"), "id", ("actor", "tweet"), DAY_MS)
BY_TWEET = Listing("notifications_by_tweet", ("recipient", "kind", "tweet"), "id", ("actor",), DAY_MS)
KEPT_S = 10 * 86_400
"""How long a withdrawn notification is remembered, in seconds: as long as Cassandra remembers a deletion."""
_PLACES: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}


class CassandraNotificationRows:
    """The NotificationRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        self._by_kind = ListedRows(sink, keyspace, BY_KIND)
        self._by_tweet = ListedRows(sink, keyspace, BY_TWEET)
        name = checked(keyspace)
        kinds = ", ".join(str(place) for place in _PLACES.values())
        self._withdraw = (
            f"DELETE FROM {name}.notifications USING TIMESTAMP ?"
            f" WHERE recipient=? AND bucket=? AND kind IN ({kinds}) AND id=?"
        )
        self._read = f"INSERT INTO {name}.notifications_read (owner, bucket, id) VALUES (?, ?, ?) USING TIMESTAMP ?"
        self._read_up_to = f"INSERT INTO {name}.notifications_read_up_to (owner, id) VALUES (?, ?) USING TIMESTAMP ?"

    def raised(
        self, recipient: AccountId, notification: NotificationId, kind: str, actor: AccountId, tweet: TweetId | None
    ) -> None:
        """Add a notification."""
        owner, place, about = to_bytes(recipient), _PLACES[kind], to_bytes(tweet) if tweet is not None else None
        self._by_kind.put((owner, place), notification, to_bytes(actor), about)
        if about is not None and kind in GROUPED:
            self._by_tweet.put((owner, place, about), notification, to_bytes(actor))

    def withdrawn(self, recipient: AccountId, notification: NotificationId) -> None:
        """Remove a notification."""
        bucket = BY_KIND.bucket(notification)
        self._sink.write(self._withdraw, self._sink.stamp, to_bytes(recipient), bucket, to_bytes(notification))

    def read(self, owner: AccountId, notification: NotificationId) -> None:
        """Mark one notification as read. It need not be known yet."""
        key = to_bytes(notification)
        self._sink.write(self._read, to_bytes(owner), millis(notification) // MONTH_MS, key, self._sink.stamp)

    def read_up_to(self, owner: AccountId, notification: NotificationId) -> None:
        """Mark all up to and including one as read.

        Its own timestamp is used, so that the newest of several calls wins.
        """
        key = to_bytes(notification)
        self._sink.write(self._read_up_to, to_bytes(owner), key, timestamp(notification))


class CassandraNotifications:
    """The Notifications port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        self._by_kind = ListingReader(session, keyspace, BY_KIND)
        self._by_tweet = ListingReader(session, keyspace, BY_TWEET)
        name = checked(keyspace)
        self._standing = f"SELECT id FROM {name}.notifications WHERE recipient=? AND bucket=? AND kind=? AND id IN ?"
        self._up_to = f"SELECT id FROM {name}.notifications_read_up_to WHERE owner=?"
        self._read = f"SELECT id FROM {name}.notifications_read WHERE owner=? AND bucket=? AND id IN ?"

    async def newest(
        self, recipient: AccountId, kinds: Collection[str], before: str | None, limit: int
    ) -> Page[Notification]:
        """Return a page of the notifications of some kinds, one by one, newest first."""
        owner, wanted = to_bytes(recipient), sorted(set(kinds))
        pages = await asyncio.gather(
            *(self._by_kind.page((owner, _PLACES[kind]), before, limit + 1) for kind in wanted)
        )
        found = [
            Notification(NotificationId(from_bytes(id_)), kind, AccountId(from_bytes(actor)), _tweet(tweet))
            for kind, (rows, _) in zip(wanted, pages, strict=True)
            for id_, actor, tweet in rows
        ]
        found.sort(key=lambda notification: notification.id, reverse=True)
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def members(
        self, recipient: AccountId, groups: Collection[Group], up_to: str | None, limit: int
    ) -> dict[Group, list[Member]]:
        """Return the newest `limit` notifications of each group that are not newer than `up_to`, newest first."""
        before = None if up_to is None else _next(up_to)
        found = await asyncio.gather(*(self._group(to_bytes(recipient), group, before, limit) for group in groups))
        return dict(zip(groups, found, strict=True))

    async def _group(self, owner: bytes, group: Group, before: str | None, limit: int) -> list[Member]:
        kind, tweet = _PLACES[group[0]], to_bytes(group[1])

        async def shown(rows: Sequence[Row]) -> list[bool]:
            days = _by_step((from_bytes(id_) for id_, _ in rows), DAY_MS)
            found = await asyncio.gather(
                *(self._session.read_by_keys(self._standing, keys, owner, day, kind) for day, keys in days.items())
            )
            standing = {id_ for part in found for (id_,) in part}
            return [id_ in standing for id_, _ in rows]

        rows, _ = await self._by_tweet.page((owner, kind, tweet), before, limit, shown)
        return [Member(NotificationId(from_bytes(id_)), AccountId(from_bytes(actor))) for id_, actor in rows]

    async def marks(self, recipient: AccountId, notifications: Collection[NotificationId]) -> ReadMarks:
        """Return the account's read marks, with the `single` ones among `notifications`."""
        owner = to_bytes(recipient)
        months = _by_step(notifications, MONTH_MS)
        rows, *singles = await asyncio.gather(
            self._session.read(self._up_to, (owner,)),
            *(self._session.read_by_keys(self._read, keys, owner, month) for month, keys in months.items()),
        )
        up_to = from_bytes(rows[0][0]) if rows else ""
        single = (NotificationId(from_bytes(id_)) for part in singles for (id_,) in part)
        return ReadMarks(up_to, frozenset(id_ for id_ in single if id_ > up_to))


class CassandraRaisedNotifications:
    """The RaisedNotifications port, in the batches of a sink.

    A withdrawal deletes nothing at once. It stores its timestamp, and `of` answers as of the event that is applied. So
    a redelivered event finds the same rows as the first time, and gives the same result. After KEPT_S it would find
    fewer, and derive fewer events than were published long ago. The rows expire then, so years of likes and unlikes of
    a tweet leave no rows behind.
    """

    def __init__(self, session: CassandraSession, sink: CassandraSink, keyspace: str) -> None:
        self._session = session
        self._sink = sink
        table = f"{checked(keyspace)}.notifications_raised"
        self._of = f"SELECT id, kind, recipient, raised, withdrawn FROM {table} WHERE actor=? AND about=?"
        self._put = (
            f"INSERT INTO {table} (actor, about, id, kind, recipient, raised) VALUES (?, ?, ?, ?, ?, ?)"
            " USING TIMESTAMP ?"
        )
        # The whole row is written again, so that all of it expires.
        self._remove = (
            f"INSERT INTO {table} (actor, about, id, kind, recipient, raised, withdrawn) VALUES (?, ?, ?, ?, ?, ?, ?)"
            f" USING TIMESTAMP ? AND TTL {KEPT_S}"
        )
        self._fetched: dict[tuple[AccountId, str], dict[Raised, tuple[int, int | None]]] = {}

    async def fetch(self, wanted: Collection[tuple[AccountId, str]]) -> None:
        """Load the notifications raised for these. Raises StoreUnavailable."""
        asked = list(set(wanted))
        found = await asyncio.gather(
            *(self._session.read(self._of, (to_bytes(actor), to_bytes(about))) for actor, about in asked)
        )
        self._fetched = {
            key: {_raised(row): (row[3], row[4]) for row in rows if row[3] is not None}
            for key, rows in zip(asked, found, strict=True)
        }

    def put(self, actor: AccountId, about: str, raised: Raised) -> None:
        """Record a raised notification."""
        stamp = self._sink.stamp
        self._sink.write(self._put, *_key(actor, about, raised), stamp, stamp)
        if (actor, about) in self._fetched:
            self._fetched[actor, about].setdefault(raised, (stamp, None))

    def of(self, actor: AccountId, about: str) -> list[Raised]:
        """Return the notifications raised before this event and not withdrawn before it, sorted, of any batch."""
        now = self._sink.stamp
        return sorted(
            raised
            for raised, (since, until) in self._fetched[actor, about].items()
            if since < now and (until is None or until >= now)
        )

    def remove(self, actor: AccountId, about: str, raised: Raised) -> None:
        """Remove a notification that was withdrawn."""
        stamp = self._sink.stamp
        since, until = self._fetched[actor, about][raised]
        self._sink.write(self._remove, *_key(actor, about, raised), since, stamp, stamp)
        self._fetched[actor, about][raised] = (since, stamp if until is None else until)


def _key(actor: AccountId, about: str, raised: Raised) -> tuple[bytes, bytes, bytes, int, bytes]:
    kind, recipient, id_ = raised
    return to_bytes(actor), to_bytes(about), to_bytes(id_), _PLACES[kind], to_bytes(recipient)


def _raised(row: Row) -> Raised:
    id_, kind, recipient, *_ = row
    return Raised(KINDS[kind], AccountId(from_bytes(recipient)), NotificationId(from_bytes(id_)))


def _by_step(ids: Iterable[str], width_ms: int) -> dict[int, list[bytes]]:
    steps: dict[int, list[bytes]] = {}
    for id_ in ids:
        steps.setdefault(millis(id_) // width_ms, []).append(to_bytes(id_))
    return steps


def _next(id_: str) -> str:
    """Return the next id: a list up to and including an id is a list before the next one."""
    return from_bytes((int.from_bytes(to_bytes(id_), "big") + 1).to_bytes(16, "big"))


def _tweet(raw: bytes | None) -> TweetId | None:
    return None if raw is None else TweetId(from_bytes(raw))


MODEL: Model[NotificationRows, Notifications] = Model(
    (
        "notifications",
        "notifications_by_tweet",
        "notifications_read",
        "notifications_read_up_to",
        "notifications_raised",
    ),
    CassandraNotificationRows,
    CassandraNotifications,
    expiring=("notifications_raised",),
)
