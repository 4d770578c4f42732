"""Notifications on SQLite: clustered by recipient and kind, newest first.

A page of all kinds merges one range of each kind, so many likes between two replies cost nothing. An index over likes
and retweets keeps those of one tweet together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.ids import AccountId, NotificationId, TweetId, account_number, from_bytes, to_bytes

from ..notifications import KINDS, Group, Member, Notification, NotificationRows, Notifications, Raised, ReadMarks
from ..pages import Page
from .binding import LAST_KEY, key_before, number_of
from .buffered import writer
from .model import Model
from .views import Tables

NOTIFICATIONS = Tables(
    model="notifications",
    version=1,
    tables={
        "notifications": """(
            recipient INTEGER,
            kind INTEGER,       -- its place in KINDS; from 4 on they are grouped
            id BLOB, actor INTEGER NOT NULL, tweet BLOB,
            PRIMARY KEY (recipient, kind, id DESC)) WITHOUT ROWID""",
        "notifications_read": "(owner INTEGER, id BLOB, PRIMARY KEY (owner, id)) WITHOUT ROWID",
        "notifications_read_up_to": "(owner INTEGER PRIMARY KEY, id BLOB NOT NULL)",
        # The stream's memory of raised notifications. `about` is a tweet or an account.
        "notifications_raised": """(
            actor INTEGER, about BLOB, kind INTEGER, recipient BLOB, id BLOB NOT NULL,
            PRIMARY KEY (actor, about, kind, recipient)) WITHOUT ROWID""",
    },
    indexes=(
        """CREATE INDEX notifications_{generation}_by_tweet ON {notifications} (recipient, kind, tweet, id DESC, actor)
            WHERE kind >= 4""",
    ),
)
_PLACES: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}


class SqliteRaisedNotifications:
    """The RaisedNotifications port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._write = writer(connection)
        self._put = "INSERT OR REPLACE INTO {notifications_raised} VALUES (?, ?, ?, ?, ?)".format(**names)
        self._of = "SELECT kind, recipient, id FROM {notifications_raised} WHERE actor=? AND about=?".format(**names)
        self._remove = "DELETE FROM {notifications_raised} WHERE actor=? AND about=? AND kind=? AND recipient=?".format(
            **names
        )

    async def fetch(self, wanted: Collection[tuple[AccountId, str]]) -> None:
        """Do nothing: a look-up costs the same later."""

    def put(self, actor: AccountId, about: str, raised: Raised) -> None:
        """Record a raised notification."""
        kind, recipient, notification = raised
        key = (number_of(actor), to_bytes(about), _PLACES[kind], to_bytes(recipient))
        self._write(self._put, (*key, to_bytes(notification)))

    def of(self, actor: AccountId, about: str) -> list[Raised]:
        """Return the raised notifications that are not withdrawn."""
        rows: Any = self._execute(self._of, (account_number(actor), to_bytes(about)))
        return [
            Raised(KINDS[kind], AccountId(from_bytes(recipient)), NotificationId(from_bytes(id_)))
            for kind, recipient, id_ in rows
        ]

    def remove(self, actor: AccountId, about: str, raised: Raised) -> None:
        """Remove a notification that was withdrawn."""
        key = (account_number(actor), to_bytes(about), _PLACES[raised.kind], to_bytes(raised.recipient))
        self._write(self._remove, key)


class SqliteNotificationRows:
    """The NotificationRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._write = writer(connection)
        self._raise = "INSERT OR REPLACE INTO {notifications} VALUES (?, ?, ?, ?, ?)".format(**names)
        kinds = ", ".join(str(place) for place in _PLACES.values())
        self._withdraw = "DELETE FROM {notifications} WHERE recipient=? AND kind IN ({kinds}) AND id=?".format(
            **names, kinds=kinds
        )
        self._read = "INSERT OR IGNORE INTO {notifications_read} VALUES (?, ?)".format(**names)
        self._read_up_to = """
            INSERT INTO {notifications_read_up_to} VALUES (?, ?) ON CONFLICT DO UPDATE SET id = max(id, excluded.id)
            """.format(**names)
        self._forget = "DELETE FROM {notifications_read} WHERE owner=? AND id<=?".format(**names)

    def raised(
        self, recipient: AccountId, notification: NotificationId, kind: str, actor: AccountId, tweet: TweetId | None
    ) -> None:
        """Add a notification."""
        about = to_bytes(tweet) if tweet is not None else None
        row = (number_of(recipient), _PLACES[kind], to_bytes(notification), number_of(actor), about)
        self._write(self._raise, row)

    def withdrawn(self, recipient: AccountId, notification: NotificationId) -> None:
        """Remove a notification."""
        self._write(self._withdraw, (account_number(recipient), to_bytes(notification)))

    def read(self, owner: AccountId, notification: NotificationId) -> None:
        """Mark one notification as read. It need not be known yet."""
        self._write(self._read, (account_number(owner), to_bytes(notification)))

    def read_up_to(self, owner: AccountId, notification: NotificationId) -> None:
        """Mark all notifications up to and including one as read, and remove the single marks that this replaces."""
        row = (account_number(owner), to_bytes(notification))
        self._write(self._read_up_to, row)
        self._write(self._forget, row)


class SqliteNotifications:
    """The Notifications port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        newest = """
            SELECT * FROM (SELECT id, kind, actor, tweet FROM {notifications}
                WHERE recipient=?1 AND kind={kind} AND id<?2 ORDER BY id DESC LIMIT ?3)"""
        self._ranges = {kind: newest.format(**names, kind=place) for kind, place in _PLACES.items()}
        self._merged = """
            SELECT id, kind, (SELECT id FROM {users} WHERE number=actor), tweet FROM (
                SELECT * FROM ({{ranges}}) ORDER BY id DESC LIMIT ?3) ORDER BY id DESC""".format(**names)
        self._members = """
            SELECT id, (SELECT id FROM {users} WHERE number=actor) FROM {notifications}
            WHERE recipient=? AND kind=? AND kind >= 4 AND tweet=? AND id<=? ORDER BY id DESC LIMIT ?""".format(**names)
        self._up_to = "SELECT id FROM {notifications_read_up_to} WHERE owner=?".format(**names)
        self._read = "SELECT id FROM {notifications_read} WHERE owner=? AND id=?".format(**names)

    async def newest(
        self, recipient: AccountId, kinds: Collection[str], before: str | None, limit: int
    ) -> Page[Notification]:
        """Return a page of the notifications of some kinds, one by one, newest first."""
        sql = self._merged.format(ranges=" UNION ALL ".join(self._ranges[kind] for kind in sorted(set(kinds))))
        rows: Any = self._execute(sql, (account_number(recipient), key_before(before), limit + 1)).fetchall()
        found = [
            Notification(NotificationId(from_bytes(id_)), KINDS[kind], actor, _tweet(tweet))
            for id_, kind, actor, tweet in rows[:limit]
            if actor is not None  # otherwise the account's registration is not applied yet
        ]
        return Page(found, from_bytes(rows[limit - 1][0]) if len(rows) > limit else None)

    async def members(
        self, recipient: AccountId, groups: Collection[Group], up_to: str | None, limit: int
    ) -> dict[Group, list[Member]]:
        """Return the newest `limit` notifications of each group that are not newer than `up_to`, newest first."""
        owner, last = account_number(recipient), LAST_KEY if up_to is None else to_bytes(up_to)
        found = {}
        for kind, tweet in groups:
            rows: Any = self._execute(self._members, (owner, _PLACES[kind], to_bytes(tweet), last, limit))
            found[kind, tweet] = [
                Member(NotificationId(from_bytes(id_)), actor) for id_, actor in rows if actor is not None
            ]
        return found

    async def marks(self, recipient: AccountId, notifications: Collection[NotificationId]) -> ReadMarks:
        """Return the account's read marks, with the `single` ones among `notifications`."""
        owner = account_number(recipient)
        raw: Any = self._execute(self._up_to, (owner,)).get
        up_to = "" if raw is None else from_bytes(raw)
        single = (n for n in notifications if n > up_to and self._execute(self._read, (owner, to_bytes(n))).get)
        return ReadMarks(up_to, frozenset(single))


def _tweet(raw: bytes | None) -> TweetId | None:
    return None if raw is None else TweetId(from_bytes(raw))


MODEL: Model[NotificationRows, Notifications] = Model(NOTIFICATIONS, SqliteNotificationRows, SqliteNotifications)
