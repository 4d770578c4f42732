"""The fold that keeps what decisions ask for: every source event, and the row it changes.

It runs inside the transaction that appends the events, and over the whole log when the state is rebuilt (laws 2
and 4 hold for it as for any read model). It is what `evolve` is to a decision with a stream of its own: here the
decisions share their rows, so the fold is written once.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from events.accounts import AccountRegistered, Profile, ProfileChanged
from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.event import Envelope, Handles, on
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import AccountId, ActivityId, MediaId, NotificationId, SessionId, TweetId
from events.media import MediaDeleted, MediaFinished, UploadStarted
from events.personal import (
    AccountMuted,
    AccountUnmuted,
    BookmarkRemoved,
    NotificationRead,
    NotificationsRead,
    SessionEnded,
    SessionStarted,
    TweetBookmarked,
)
from events.tweets import TweetDeleted, TweetEdited, TweetPosted


def fingerprint(text: str) -> bytes:
    """A tweet's text in 16 bytes, enough to tell whether an edit changes it; the text itself stays sealed."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class DecisionRows(Protocol):
    """The rows that decisions are made from."""

    def account(self, event: AccountRegistered, about: Envelope) -> None:
        """An account began."""
        ...

    def profile(self, account: AccountId, profile: Profile) -> None:
        """The profile is another; its version is one more."""
        ...

    def tweet(self, event: TweetPosted, text: bytes) -> None:
        """A tweet is there, with its media."""
        ...

    def edited(self, tweet: TweetId, version: int, text: bytes) -> None:
        """A tweet has another text."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone."""
        ...

    def follow(self, follower: AccountId, followee: AccountId, there: bool) -> None:
        """A follow is there, or no longer."""
        ...

    def block(self, blocker: AccountId, blocked: AccountId, there: bool) -> None:
        """A block is there, or no longer."""
        ...

    def mute(self, owner: AccountId, muted: AccountId, there: bool) -> None:
        """A mute is there, or no longer."""
        ...

    def like(self, actor: AccountId, tweet: TweetId, there: bool) -> None:
        """A like is there, or no longer."""
        ...

    def retweet(self, actor: AccountId, tweet: TweetId, retweet: ActivityId | None) -> None:
        """A retweet is there, or no longer."""
        ...

    def bookmark(self, owner: AccountId, tweet: TweetId, there: bool) -> None:
        """A bookmark is there, or no longer."""
        ...

    def notification_read(self, owner: AccountId, notification: NotificationId) -> None:
        """One notification was read."""
        ...

    def read_up_to(self, owner: AccountId, notification: NotificationId) -> None:
        """All notifications up to one were read."""
        ...

    def session(self, owner: AccountId, session: SessionId, there: bool) -> None:
        """A session began, or ended."""
        ...

    def upload(self, event: UploadStarted) -> None:
        """A medium is awaited."""
        ...

    def finished(self, event: MediaFinished) -> None:
        """A medium is there, awaited or not."""
        ...

    def media_deleted(self, media: MediaId) -> None:
        """A medium is gone; its alt text is forgotten."""
        ...


class DecisionState(Handles):
    """Folds events into DecisionRows. One or two writes an event."""

    def __init__(self, rows: DecisionRows) -> None:
        self.rows = rows

    @on(AccountRegistered)
    def registered(self, event: AccountRegistered, about: Envelope) -> None:
        """An account, its name and address taken."""
        self.rows.account(event, about)

    @on(ProfileChanged)
    def profile_changed(self, event: ProfileChanged, about: Envelope) -> None:
        """The profile that the next change is compared with."""
        self.rows.profile(event.account, event.profile)

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """A tweet to reply to, like, edit, delete."""
        self.rows.tweet(event, fingerprint(event.text))

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Its version, which the next edit is held against."""
        self.rows.edited(event.tweet, event.version, fingerprint(event.text))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Gone, and remembered as gone."""
        self.rows.deleted(event.tweet)

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """A follow."""
        self.rows.follow(event.follower, event.followee, True)

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """A follow no longer."""
        self.rows.follow(event.follower, event.followee, False)

    @on(AccountBlocked)
    def blocked(self, event: AccountBlocked, about: Envelope) -> None:
        """A block; the follows that it ends have events of their own."""
        self.rows.block(event.blocker, event.blocked, True)

    @on(AccountUnblocked)
    def unblocked(self, event: AccountUnblocked, about: Envelope) -> None:
        """A block no longer."""
        self.rows.block(event.blocker, event.blocked, False)

    @on(AccountMuted)
    def muted(self, event: AccountMuted, about: Envelope) -> None:
        """A mute."""
        self.rows.mute(event.owner, event.muted, True)

    @on(AccountUnmuted)
    def unmuted(self, event: AccountUnmuted, about: Envelope) -> None:
        """A mute no longer."""
        self.rows.mute(event.owner, event.muted, False)

    @on(TweetLiked)
    def liked(self, event: TweetLiked, about: Envelope) -> None:
        """A like."""
        self.rows.like(event.actor, event.tweet, True)

    @on(TweetUnliked)
    def unliked(self, event: TweetUnliked, about: Envelope) -> None:
        """A like no longer."""
        self.rows.like(event.actor, event.tweet, False)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """A retweet."""
        self.rows.retweet(event.actor, event.tweet, event.retweet)

    @on(RetweetUndone)
    def retweet_undone(self, event: RetweetUndone, about: Envelope) -> None:
        """A retweet no longer."""
        self.rows.retweet(event.actor, event.tweet, None)

    @on(TweetBookmarked)
    def bookmarked(self, event: TweetBookmarked, about: Envelope) -> None:
        """A bookmark."""
        self.rows.bookmark(event.owner, event.tweet, True)

    @on(BookmarkRemoved)
    def bookmark_removed(self, event: BookmarkRemoved, about: Envelope) -> None:
        """A bookmark no longer."""
        self.rows.bookmark(event.owner, event.tweet, False)

    @on(NotificationRead)
    def notification_read(self, event: NotificationRead, about: Envelope) -> None:
        """A notification that is read once."""
        self.rows.notification_read(event.owner, event.notification)

    @on(NotificationsRead)
    def notifications_read(self, event: NotificationsRead, about: Envelope) -> None:
        """The mark that the next one has to be past."""
        self.rows.read_up_to(event.owner, event.up_to)

    @on(SessionStarted)
    def session_started(self, event: SessionStarted, about: Envelope) -> None:
        """A session that can be ended."""
        self.rows.session(event.owner, event.session, True)

    @on(SessionEnded)
    def session_ended(self, event: SessionEnded, about: Envelope) -> None:
        """A session no longer."""
        self.rows.session(event.owner, event.session, False)

    @on(UploadStarted)
    def upload_started(self, event: UploadStarted, about: Envelope) -> None:
        """A medium that its owner may finish."""
        self.rows.upload(event)

    @on(MediaFinished)
    def media_finished(self, event: MediaFinished, about: Envelope) -> None:
        """A medium that its owner may use."""
        self.rows.finished(event)

    @on(MediaDeleted)
    def media_deleted(self, event: MediaDeleted, about: Envelope) -> None:
        """Gone, and remembered as gone."""
        self.rows.media_deleted(event.media)
