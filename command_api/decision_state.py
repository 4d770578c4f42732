"""The fold that keeps what decisions ask for: every source event, and the row it changes.

It runs inside the transaction that appends the events, and over the whole log when the state is rebuilt (laws 2
and 4 hold for it as for any read model). It is what `evolve` is to a decision with a stream of its own: here the
decisions share their rows, so the fold is written once.
"""

from __future__ import annotations

import hashlib

from events.accounts import AccountRegistered, Profile, ProfileChanged
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
    SessionRow,
    TextChange,
    TweetDeletion,
    TweetRow,
    email_digest,
    encode,
)


def fingerprint(text: str) -> bytes:
    """A tweet's text in 16 bytes, enough to tell whether an edit changes it; the text itself stays sealed."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class DecisionState(Handles):
    """Folds events into DecisionRows. One or two writes an event."""

    def __init__(self, rows: DecisionRows, email_key: bytes) -> None:
        self.rows = rows
        self._email_key = email_key

    @on(AccountRegistered)
    def registered(self, event: AccountRegistered, about: Envelope) -> None:
        """An account, its name and address taken."""
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
        """The profile that the next change is compared with."""
        self.rows.change(ProfileChange(account_number(event.account), encode(event.profile)))

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """A tweet to reply to, like, edit, delete; and what media it shows."""
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
        """Its version, which the next edit is held against."""
        self.rows.change(TextChange(to_bytes(event.tweet), event.version, fingerprint(event.text)))

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Gone, and remembered as gone."""
        self.rows.change(TweetDeletion(to_bytes(event.tweet)))

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """A follow."""
        self.rows.insert(FollowRow(account_number(event.follower), account_number(event.followee)))

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """A follow no longer."""
        pair = account_number(event.follower), account_number(event.followee)
        self.rows.delete(FollowRow, *pair)
        self.rows.replace(EndedFollowRow(*pair))

    @on(AccountBlocked)
    def blocked(self, event: AccountBlocked, about: Envelope) -> None:
        """A block; the follows that it ends have events of their own."""
        self.rows.insert(BlockRow(account_number(event.blocker), account_number(event.blocked)))

    @on(AccountUnblocked)
    def unblocked(self, event: AccountUnblocked, about: Envelope) -> None:
        """A block no longer."""
        self.rows.delete(BlockRow, account_number(event.blocker), account_number(event.blocked))

    @on(AccountMuted)
    def muted(self, event: AccountMuted, about: Envelope) -> None:
        """A mute."""
        self.rows.insert(MuteRow(account_number(event.owner), account_number(event.muted)))

    @on(AccountUnmuted)
    def unmuted(self, event: AccountUnmuted, about: Envelope) -> None:
        """A mute no longer."""
        self.rows.delete(MuteRow, account_number(event.owner), account_number(event.muted))

    @on(TweetLiked)
    def liked(self, event: TweetLiked, about: Envelope) -> None:
        """A like."""
        self.rows.insert(LikeRow(account_number(event.actor), to_bytes(event.tweet)))

    @on(TweetUnliked)
    def unliked(self, event: TweetUnliked, about: Envelope) -> None:
        """A like no longer."""
        self.rows.delete(LikeRow, account_number(event.actor), to_bytes(event.tweet))

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """A retweet."""
        self.rows.insert(RetweetRow(account_number(event.actor), to_bytes(event.tweet), to_bytes(event.retweet)))

    @on(RetweetUndone)
    def retweet_undone(self, event: RetweetUndone, about: Envelope) -> None:
        """A retweet no longer."""
        self.rows.delete(RetweetRow, account_number(event.actor), to_bytes(event.tweet))

    @on(TweetBookmarked)
    def bookmarked(self, event: TweetBookmarked, about: Envelope) -> None:
        """A bookmark."""
        self.rows.insert(BookmarkRow(account_number(event.owner), to_bytes(event.tweet)))

    @on(BookmarkRemoved)
    def bookmark_removed(self, event: BookmarkRemoved, about: Envelope) -> None:
        """A bookmark no longer."""
        self.rows.delete(BookmarkRow, account_number(event.owner), to_bytes(event.tweet))

    @on(NotificationRead)
    def notification_read(self, event: NotificationRead, about: Envelope) -> None:
        """A notification that is read once."""
        self.rows.insert(ReadRow(account_number(event.owner), to_bytes(event.notification)))

    @on(NotificationsRead)
    def notifications_read(self, event: NotificationsRead, about: Envelope) -> None:
        """The mark that the next one has to be past; what is known of each notification before it is needed no more."""
        mark = ReadMarkRow(account_number(event.owner), to_bytes(event.up_to))
        self.rows.replace(mark)
        self.rows.delete_read(mark)

    @on(SessionStarted)
    def session_started(self, event: SessionStarted, about: Envelope) -> None:
        """A session that can be ended."""
        self.rows.insert(SessionRow(account_number(event.owner), event.session))

    @on(SessionEnded)
    def session_ended(self, event: SessionEnded, about: Envelope) -> None:
        """A session no longer."""
        self.rows.delete(SessionRow, account_number(event.owner), event.session)

    @on(UploadStarted)
    def upload_started(self, event: UploadStarted, about: Envelope) -> None:
        """A medium that its owner may finish."""
        attachment = Attachment(media=event.media, content_type=event.content_type, alt=event.alt)
        self.rows.replace(MediumRow(to_bytes(event.media), event.owner, encode(attachment), None, None))

    @on(MediaFinished)
    def media_finished(self, event: MediaFinished, about: Envelope) -> None:
        """A medium that its owner may use, awaited or not."""
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
        """Gone, and remembered as gone; its alt text is forgotten."""
        left = Attachment(media=event.media, content_type="")
        self.rows.change(MediumDeletion(to_bytes(event.media), encode(left)))
