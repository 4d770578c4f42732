"""Decision state on PostgreSQL: the tables, and the statements of the fold.

The fold reads nothing, so what it writes is collected and sent together: each kind of write is one statement, for any
number of rows. Accounts go by their number (events.ids.account_number), half as wide as an id.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from events.accounts import AccountRegistered, Profile
from events.event import Envelope
from events.ids import (
    AccountId,
    ActivityId,
    MediaId,
    NotificationId,
    SessionId,
    TweetId,
    account_number,
    to_bytes,
)
from events.media import Attachment, MediaFinished, UploadStarted
from events.tweets import TweetPosted

from . import sets
from .connections import Statement

STATE_TABLES: tuple[str, ...] = (
    "decision_accounts",
    "decision_tweets",
    "decision_follows",
    "decision_ended_follows",
    "decision_blocks",
    "decision_mutes",
    "decision_likes",
    "decision_retweets",
    "decision_bookmarks",
    "decision_read_marks",
    "decision_read",
    "decision_sessions",
    "decision_media",
    "decision_media_uses",
)
"""Everything in them is a function of the log."""

_encode = msgspec.json.Encoder().encode


def email_digest(key: bytes, email: str) -> bytes:
    """An address as it is compared: whatever the case, and keyed, so that the table gives none away."""
    return hmac.digest(key, email.casefold().encode(), "sha256")[:16]


class Write(NamedTuple):
    """A kind of write: SQL with the rows' place in it, and the columns of a row."""

    sql: str
    columns: tuple[str, ...]


Written = tuple[Write, tuple[Any, ...]]
"""A kind of write, and one row of it."""


def _write(sql: str, **columns: str) -> Write:
    return Write(sql.replace("{rows}", sets.rows(columns)), tuple(columns))


def _insert(table: str, **columns: str) -> Write:
    return _write(f"INSERT INTO decision_{table} ({', '.join(columns)}) SELECT * FROM {{rows}}", **columns)


def _delete(table: str, **columns: str) -> Write:
    same = " AND ".join(f"old.{column}=new.{column}" for column in columns)
    return _write(f"DELETE FROM decision_{table} AS old USING {{rows}} WHERE {same}", **columns)


def _either(table: str, **columns: str) -> tuple[Write, Write]:
    """A row is no longer there; it is there."""
    return _delete(table, **columns), _insert(table, **columns)


_ACCOUNT = _write(
    "INSERT INTO decision_accounts"
    " SELECT number, id, username, folded, email, created_at, imported, profile, 1 FROM {rows}",
    number="bigint", id="text", username="text", folded="text", email="bytea", created_at="bigint",
    imported="smallint", profile="bytea",
)  # fmt: skip
_PROFILE = _write(
    "UPDATE decision_accounts AS old SET profile=new.profile, version=old.version+1 FROM {rows}"
    " WHERE old.number=new.number",
    number="bigint",
    profile="bytea",
)
_TWEET = _write(
    "INSERT INTO decision_tweets SELECT tweet, author, conversation, reply_to, reply_author, quote_of, quote_author,"
    " 0, 1, text FROM {rows}",
    tweet="bytea", author="text", conversation="bytea", reply_to="bytea", reply_author="text", quote_of="bytea",
    quote_author="text", text="bytea",
)  # fmt: skip
_EDITED = _write(
    "UPDATE decision_tweets AS old SET version=new.version, fingerprint=new.text FROM {rows} WHERE old.tweet=new.tweet",
    tweet="bytea",
    version="integer",
    text="bytea",
)
_DELETED = _write(
    "UPDATE decision_tweets AS old SET deleted=1, fingerprint='' FROM {rows} WHERE old.tweet=new.tweet", tweet="bytea"
)
_MEDIA_USED = _insert("media_uses", media="bytea", tweet="bytea")
_FOLLOW = _either("follows", a="bigint", b="bigint")
_FOLLOW_ENDED = _write(
    "INSERT INTO decision_ended_follows SELECT * FROM {rows} ON CONFLICT DO NOTHING", a="bigint", b="bigint"
)
_BLOCK = _either("blocks", a="bigint", b="bigint")
_MUTE = _either("mutes", a="bigint", b="bigint")
_LIKE = _either("likes", a="bigint", tweet="bytea")
_BOOKMARK = _either("bookmarks", a="bigint", tweet="bytea")
_RETWEET = _insert("retweets", a="bigint", tweet="bytea", retweet="bytea")
_RETWEET_UNDONE = _delete("retweets", a="bigint", tweet="bytea")
_READ = _insert("read", a="bigint", notification="bytea")
_READ_UP_TO = _write(
    "INSERT INTO decision_read_marks SELECT * FROM {rows} ON CONFLICT (a) DO UPDATE SET up_to=excluded.up_to",
    a="bigint",
    up_to="bytea",
)
_FORGET_READ = _write(
    "DELETE FROM decision_read AS old USING {rows} WHERE old.a=new.a AND old.notification<=new.up_to",
    a="bigint",
    up_to="bytea",
)
_SESSION = _either("sessions", a="bigint", session="text")
_MEDIUM = _write(
    "INSERT INTO decision_media SELECT media, owner, attachment, object, size, 0 FROM {rows} ON CONFLICT (media)"
    " DO UPDATE SET owner=excluded.owner, attachment=excluded.attachment, object=excluded.object, size=excluded.size,"
    " deleted=0",
    media="bytea",
    owner="text",
    attachment="bytea",
    object="text",
    size="bigint",
)
_MEDIUM_DELETED = _write(
    "UPDATE decision_media AS old SET attachment=new.attachment, deleted=1 FROM {rows} WHERE old.media=new.media",
    media="bytea",
    attachment="bytea",
)


def gathered(written: Iterable[Written]) -> list[Statement]:
    """One statement for each kind, of rows that do not depend on each other: those of different commands at once."""
    kinds: dict[Write, list[tuple[Any, ...]]] = {}
    for kind, row in written:
        kinds.setdefault(kind, []).append(row)
    return [(kind.sql, (sets.value(kind.columns, rows),)) for kind, rows in kinds.items()]


def in_order(written: Iterable[Written]) -> list[Statement]:
    """A statement for each row, of rows that may well be written twice: those of events one after the other."""
    return [(kind.sql, (sets.value(kind.columns, [row]),)) for kind, row in written]


class PostgresDecisionRows:
    """The DecisionRows port: `written` is what was written, to be sent within a transaction."""

    def __init__(self, email_key: bytes) -> None:
        self._email_key = email_key
        self.written: list[Written] = []

    def _write(self, kind: Write, *row: Any) -> None:
        self.written.append((kind, row))

    def account(self, event: AccountRegistered, about: Envelope) -> None:
        """An account began."""
        self._write(
            _ACCOUNT,
            account_number(event.account),
            event.account,
            event.username,
            event.username.lower(),
            email_digest(self._email_key, event.email) if event.email is not None else None,
            about.time,
            int(event.imported),
            _encode(Profile(display_name=event.display_name)),
        )

    def profile(self, account: AccountId, profile: Profile) -> None:
        """The profile is another."""
        self._write(
            _PROFILE,
            account_number(account),
            _encode(profile),
        )

    def tweet(self, event: TweetPosted, text: bytes) -> None:
        """A tweet is there, with its media."""
        reply, quote = event.reply_to, event.quote_of
        self._write(
            _TWEET,
            to_bytes(event.tweet),
            event.author,
            to_bytes(event.conversation) if event.conversation != event.tweet else None,
            to_bytes(reply.tweet) if reply else None,
            reply.author if reply else None,
            to_bytes(quote.tweet) if quote else None,
            quote.author if quote else None,
            text,
        )
        for attachment in event.media:
            self._write(_MEDIA_USED, to_bytes(attachment.media), to_bytes(event.tweet))

    def edited(self, tweet: TweetId, version: int, text: bytes) -> None:
        """A tweet has another text."""
        self._write(_EDITED, to_bytes(tweet), version, text)

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone."""
        self._write(_DELETED, to_bytes(tweet))

    def follow(self, follower: AccountId, followee: AccountId, there: bool) -> None:
        """A follow is there, or no longer; one that ended is remembered, so that no import brings it back."""
        pair = account_number(follower), account_number(followee)
        self._write(_FOLLOW[there], *pair)
        if not there:
            self._write(_FOLLOW_ENDED, *pair)

    def block(self, blocker: AccountId, blocked: AccountId, there: bool) -> None:
        """A block is there, or no longer."""
        self._write(_BLOCK[there], account_number(blocker), account_number(blocked))

    def mute(self, owner: AccountId, muted: AccountId, there: bool) -> None:
        """A mute is there, or no longer."""
        self._write(_MUTE[there], account_number(owner), account_number(muted))

    def like(self, actor: AccountId, tweet: TweetId, there: bool) -> None:
        """A like is there, or no longer."""
        self._write(_LIKE[there], account_number(actor), to_bytes(tweet))

    def bookmark(self, owner: AccountId, tweet: TweetId, there: bool) -> None:
        """A bookmark is there, or no longer."""
        self._write(_BOOKMARK[there], account_number(owner), to_bytes(tweet))

    def retweet(self, actor: AccountId, tweet: TweetId, retweet: ActivityId | None) -> None:
        """A retweet is there, or no longer."""
        row = account_number(actor), to_bytes(tweet)
        if retweet is None:
            self._write(_RETWEET_UNDONE, *row)
        else:
            self._write(_RETWEET, *row, to_bytes(retweet))

    def notification_read(self, owner: AccountId, notification: NotificationId) -> None:
        """One notification was read."""
        self._write(_READ, account_number(owner), to_bytes(notification))

    def read_up_to(self, owner: AccountId, notification: NotificationId) -> None:
        """All notifications up to one were read; what was known of each of them is so no longer needed."""
        row = account_number(owner), to_bytes(notification)
        self._write(_READ_UP_TO, *row)
        self._write(_FORGET_READ, *row)

    def session(self, owner: AccountId, session: SessionId, there: bool) -> None:
        """A session began, or ended."""
        self._write(_SESSION[there], account_number(owner), session)

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
        self._write(
            _MEDIUM,
            to_bytes(attachment.media),
            owner,
            _encode(attachment),
            object_,
            size,
        )

    def media_deleted(self, media: MediaId) -> None:
        """A medium is gone; only its key is kept, so that the object can be removed again."""
        left = Attachment(media=media, content_type="")
        self._write(_MEDIUM_DELETED, to_bytes(media), _encode(left))
