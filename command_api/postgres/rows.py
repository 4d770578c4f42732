"""Decision state on PostgreSQL: the tables, and the statements of the fold.

The fold reads nothing, so its statements are collected and sent together, in the order they were made. Accounts go by
their number (events.ids.account_number), half as wide as an id.
"""

from __future__ import annotations

import hmac
from typing import Any

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


class PostgresDecisionRows:
    """The DecisionRows port: `statements` is what was written, to be sent within a transaction."""

    def __init__(self, email_key: bytes) -> None:
        self._email_key = email_key
        self.statements: list[Statement] = []

    def _write(self, sql: str, *values: Any) -> None:
        self.statements.append((sql, values))

    def account(self, event: AccountRegistered, about: Envelope) -> None:
        """An account began."""
        self._write(
            "INSERT INTO decision_accounts VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 1)",
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
            "UPDATE decision_accounts SET profile=%s, version=version+1 WHERE number=%s",
            _encode(profile),
            account_number(account),
        )

    def tweet(self, event: TweetPosted, text: bytes) -> None:
        """A tweet is there, with its media."""
        reply, quote = event.reply_to, event.quote_of
        self._write(
            "INSERT INTO decision_tweets VALUES (%s, %s, %s, %s, %s, %s, %s, 0, 1, %s)",
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
            self._write(
                "INSERT INTO decision_media_uses VALUES (%s, %s)", to_bytes(attachment.media), to_bytes(event.tweet)
            )

    def edited(self, tweet: TweetId, version: int, text: bytes) -> None:
        """A tweet has another text."""
        self._write(
            "UPDATE decision_tweets SET version=%s, fingerprint=%s WHERE tweet=%s", version, text, to_bytes(tweet)
        )

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone."""
        self._write("UPDATE decision_tweets SET deleted=1 WHERE tweet=%s", to_bytes(tweet))

    def follow(self, follower: AccountId, followee: AccountId, there: bool) -> None:
        """A follow is there, or no longer; one that ended is remembered, so that no import brings it back."""
        self._pair("decision_follows", follower, followee, there)
        if not there:
            self._write(
                "INSERT INTO decision_ended_follows VALUES (%s, %s) ON CONFLICT DO NOTHING",
                account_number(follower),
                account_number(followee),
            )

    def block(self, blocker: AccountId, blocked: AccountId, there: bool) -> None:
        """A block is there, or no longer."""
        self._pair("decision_blocks", blocker, blocked, there)

    def mute(self, owner: AccountId, muted: AccountId, there: bool) -> None:
        """A mute is there, or no longer."""
        self._pair("decision_mutes", owner, muted, there)

    def like(self, actor: AccountId, tweet: TweetId, there: bool) -> None:
        """A like is there, or no longer."""
        self._mark("decision_likes", actor, tweet, there)

    def bookmark(self, owner: AccountId, tweet: TweetId, there: bool) -> None:
        """A bookmark is there, or no longer."""
        self._mark("decision_bookmarks", owner, tweet, there)

    def retweet(self, actor: AccountId, tweet: TweetId, retweet: ActivityId | None) -> None:
        """A retweet is there, or no longer."""
        row = account_number(actor), to_bytes(tweet)
        if retweet is None:
            self._write("DELETE FROM decision_retweets WHERE a=%s AND tweet=%s", *row)
        else:
            self._write("INSERT INTO decision_retweets VALUES (%s, %s, %s)", *row, to_bytes(retweet))

    def notification_read(self, owner: AccountId, notification: NotificationId) -> None:
        """One notification was read."""
        self._write("INSERT INTO decision_read VALUES (%s, %s)", account_number(owner), to_bytes(notification))

    def read_up_to(self, owner: AccountId, notification: NotificationId) -> None:
        """All notifications up to one were read; what was known of each of them is so no longer needed."""
        row = account_number(owner), to_bytes(notification)
        self._write(
            "INSERT INTO decision_read_marks VALUES (%s, %s) ON CONFLICT (a) DO UPDATE SET up_to=excluded.up_to", *row
        )
        self._write("DELETE FROM decision_read WHERE a=%s AND notification<=%s", *row)

    def session(self, owner: AccountId, session: SessionId, there: bool) -> None:
        """A session began, or ended."""
        keep, end = (
            "INSERT INTO decision_sessions VALUES (%s, %s)",
            "DELETE FROM decision_sessions WHERE a=%s AND session=%s",
        )
        self._write(keep if there else end, account_number(owner), session)

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
            "INSERT INTO decision_media VALUES (%s, %s, %s, %s, %s, 0) ON CONFLICT (media) DO UPDATE SET"
            " owner=excluded.owner, attachment=excluded.attachment, object=excluded.object, size=excluded.size,"
            " deleted=0",
            to_bytes(attachment.media),
            owner,
            _encode(attachment),
            object_,
            size,
        )

    def media_deleted(self, media: MediaId) -> None:
        """A medium is gone; only its key is kept, so that the object can be removed again."""
        left = Attachment(media=media, content_type="")
        self._write("UPDATE decision_media SET attachment=%s, deleted=1 WHERE media=%s", _encode(left), to_bytes(media))

    def _pair(self, table: str, a: AccountId, b: AccountId, there: bool) -> None:
        self._either(table, "b", there, account_number(a), account_number(b))

    def _mark(self, table: str, actor: AccountId, tweet: TweetId, there: bool) -> None:
        self._either(table, "tweet", there, account_number(actor), to_bytes(tweet))

    def _either(self, table: str, column: str, there: bool, *row: Any) -> None:
        keep, end = f"INSERT INTO {table} VALUES (%s, %s)", f"DELETE FROM {table} WHERE a=%s AND {column}=%s"
        self._write(keep if there else end, *row)
