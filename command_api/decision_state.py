"""The decision state: a fold of the source events into the rows that decisions ask for.

It runs inside the transaction that appends the events, and over the whole log when the state is rebuilt (laws 2
and 4 hold for it as for any read model). All decisions share these rows, so there is one fold instead of an `evolve`
in each decision.
"""

from __future__ import annotations

import hashlib

from events.accounts import AccountRegistered, Profile, ProfileChanged, RoleChanged
from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.event import Envelope, Handles, on
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import account_number, to_bytes
from events.media import Attachment, MediaDeleted, MediaFinished, UploadStarted
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

from .decision_rows import (
    AccountRow,
    BlockRow,
    BookmarkRow,
    DecisionRows,
    EndedFollowRow,
    FollowRow,
    LikeRow,
    MediumDeletion,
    MediumRow,
    MediumUseRow,
    MuteRow,
    ProfileChange,
    ReadMarkRow,
    ReadRow,
    RetweetRow,
    RoleRow,
    SessionRow,
    TextChange,
    TweetDeletion,
    TweetRow,
    email_digest,
    encode,
)


def fingerprint(text: str) -> bytes:
    """Return a 16-byte hash of a tweet's text, to notice an edit that changes nothing; the text itself stays sealed."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class DecisionState(Handles):
    """Folds events into DecisionRows, with one or two writes for each event."""

    def __init__(self, rows: DecisionRows, email_key: bytes) -> None:
        self.rows = rows
        self._email_key = email_key

    @on(AccountRegistered)
    def registered(self, event: AccountRegistered, about: Envelope) -> None:
        """Insert the account; its name and address are taken."""
        self.rows.insert(
            AccountRow(
                number=account_number(event.account),
                id=event.account,
                username=event.username,
                folded=event.username.lower(),
                email=None if event.email is None else email_digest(self._email_key, event.email),
                created_at=about.time,
                imported=int(event.imported),
                profile=encode(Profile(display_name=event.display_name)),
            )
        )

    @on(ProfileChanged)
    def profile_changed(self, event: ProfileChanged, about: Envelope) -> None:
        """Store the profile, to compare the next change with it."""
        self.rows.change(ProfileChange(account_number(event.account), encode(event.profile)))

    @on(RoleChanged)
    def role_changed(self, event: RoleChanged, about: Envelope) -> None:
        """Store the role; `user` is stored as no row."""
        number = account_number(event.account)
        if event.role == "user":
            self.rows.delete(RoleRow, number)
        else:
            self.rows.replace(RoleRow(number, event.account, event.role))

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Insert the tweet, and a row for each medium that it shows."""
        reply, quote, tweet = event.reply_to, event.quote_of, to_bytes(event.tweet)
        self.rows.insert(
            TweetRow(
                tweet=tweet,
                author=event.author,
                conversation=to_bytes(event.conversation) if event.conversation != event.tweet else None,
                reply_to=to_bytes(reply.tweet) if reply else None,
                reply_author=reply.author if reply else None,
                quote_of=to_bytes(quote.tweet) if quote else None,
                quote_author=quote.author if quote else None,
                deleted=0,
                version=1,
                fingerprint=fingerprint(event.text),
            )
        )
        for attachment in event.media:
            self.rows.insert(MediumUseRow(to_bytes(attachment.media), tweet))

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Store the version, to compare the next edit with it."""
        self.rows.change(TextChange(to_bytes(event.tweet), event.version, fingerprint(event.text)))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Mark the tweet as deleted; its row stays."""
        self.rows.change(TweetDeletion(to_bytes(event.tweet)))

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """Insert the follow."""
        self.rows.insert(FollowRow(account_number(event.follower), account_number(event.followee)))

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """End the follow."""
        pair = account_number(event.follower), account_number(event.followee)
        self.rows.delete(FollowRow, *pair)
        self.rows.replace(EndedFollowRow(*pair))

    @on(AccountBlocked)
    def blocked(self, event: AccountBlocked, about: Envelope) -> None:
        """Insert the block; the follows that it ends have their own events."""
        self.rows.insert(BlockRow(account_number(event.blocker), account_number(event.blocked)))

    @on(AccountUnblocked)
    def unblocked(self, event: AccountUnblocked, about: Envelope) -> None:
        """Remove the block."""
        self.rows.delete(BlockRow, account_number(event.blocker), account_number(event.blocked))

    @on(AccountMuted)
    def muted(self, event: AccountMuted, about: Envelope) -> None:
        """Insert the mute."""
        self.rows.insert(MuteRow(account_number(event.owner), account_number(event.muted)))

    @on(AccountUnmuted)
    def unmuted(self, event: AccountUnmuted, about: Envelope) -> None:
        """Remove the mute."""
        self.rows.delete(MuteRow, account_number(event.owner), account_number(event.muted))

    @on(TweetLiked)
    def liked(self, event: TweetLiked, about: Envelope) -> None:
        """Insert the like."""
        self.rows.insert(LikeRow(account_number(event.actor), to_bytes(event.tweet)))

    @on(TweetUnliked)
    def unliked(self, event: TweetUnliked, about: Envelope) -> None:
        """Remove the like."""
        self.rows.delete(LikeRow, account_number(event.actor), to_bytes(event.tweet))

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """Insert the retweet."""
        self.rows.insert(RetweetRow(account_number(event.actor), to_bytes(event.tweet), to_bytes(event.retweet)))

    @on(RetweetUndone)
    def retweet_undone(self, event: RetweetUndone, about: Envelope) -> None:
        """Remove the retweet."""
        self.rows.delete(RetweetRow, account_number(event.actor), to_bytes(event.tweet))

    @on(TweetBookmarked)
    def bookmarked(self, event: TweetBookmarked, about: Envelope) -> None:
        """Insert the bookmark."""
        self.rows.insert(BookmarkRow(account_number(event.owner), to_bytes(event.tweet)))

    @on(BookmarkRemoved)
    def bookmark_removed(self, event: BookmarkRemoved, about: Envelope) -> None:
        """Remove the bookmark."""
        self.rows.delete(BookmarkRow, account_number(event.owner), to_bytes(event.tweet))

    @on(NotificationRead)
    def notification_read(self, event: NotificationRead, about: Envelope) -> None:
        """Mark the notification as read."""
        self.rows.insert(ReadRow(account_number(event.owner), to_bytes(event.notification)))

    @on(NotificationsRead)
    def notifications_read(self, event: NotificationsRead, about: Envelope) -> None:
        """Move the mark up to which all notifications are read, and delete the rows of notifications before it."""
        mark = ReadMarkRow(account_number(event.owner), to_bytes(event.up_to))
        self.rows.replace(mark)
        self.rows.delete_read(mark)

    @on(SessionStarted)
    def session_started(self, event: SessionStarted, about: Envelope) -> None:
        """Insert the session."""
        self.rows.insert(SessionRow(account_number(event.owner), event.session))

    @on(SessionEnded)
    def session_ended(self, event: SessionEnded, about: Envelope) -> None:
        """Remove the session."""
        self.rows.delete(SessionRow, account_number(event.owner), event.session)

    @on(UploadStarted)
    def upload_started(self, event: UploadStarted, about: Envelope) -> None:
        """Insert the medium, which its owner may finish."""
        attachment = Attachment(media=event.media, content_type=event.content_type, alt=event.alt)
        self.rows.replace(MediumRow(to_bytes(event.media), event.owner, encode(attachment), None, None))

    @on(MediaFinished)
    def media_finished(self, event: MediaFinished, about: Envelope) -> None:
        """Store the file of the medium; without a started upload, insert the medium with it."""
        attachment = Attachment(
            media=event.media,
            content_type=event.content_type,
            width=event.width,
            height=event.height,
            alt=event.alt,
        )
        self.rows.replace(MediumRow(to_bytes(event.media), event.owner, encode(attachment), event.object, event.size))

    @on(MediaDeleted)
    def media_deleted(self, event: MediaDeleted, about: Envelope) -> None:
        """Mark the medium as deleted and remove its alt text; its row stays."""
        left = Attachment(media=event.media, content_type="")
        self.rows.change(MediumDeletion(to_bytes(event.media), encode(left)))
