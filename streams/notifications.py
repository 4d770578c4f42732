"""Notifications about other accounts' acts: the derived topic `notifications`.

| event | recipient | withdrawn by |
|---|---|---|
| a like, a retweet | the author | unlike, undo |
| a follow | the followee | unfollow |
| a reply | the author of the parent | deletion of the tweet |
| a quote | the author of the quoted tweet | deletion of the tweet |
| a mention, as posted or added by an edit | the mentioned account | deletion of the tweet, or an edit without it |

No account is notified of its own acts, or twice of one tweet: a reply counts before a quote, and a quote before a
mention. A like that is removed and given again raises a new notification.

History raises no notifications: imported tweets do not, nor events that were appended more than 30 days after they
happened, such as imported follows.

A raised notification is stored until it is withdrawn, because a withdrawal needs its id, and an unlike does not tell
the time of the like. All events that raise or withdraw one notification belong to one entity (an actor's engagement, a
follower's graph, an author's tweets), so they arrive in order (law 3).
"""

from __future__ import annotations

from collections.abc import Sequence

from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.entities import Entities
from events.event import Envelope, Event, on
from events.graph import AccountFollowed, AccountUnfollowed
from events.ids import AccountId, NotificationId, TweetId, at_time, millis
from events.notifications import NotificationRaised, NotificationWithdrawn
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.notifications import Kind, Raised, RaisedNotifications

from .stream import Emit, Stream

HISTORY_MS = 30 * 24 * 3600 * 1000
_ADDRESSED = ("reply", "quote", "mention")


def notification_id(source: Envelope) -> NotificationId:
    """Return the id of the notifications that an event raises: the event's id at the event's time, for every recipient.

    So deriving a notification again gives the same id, and notifications sort by time, and within a millisecond by
    event.
    """
    return NotificationId(at_time(source.id, source.time))


class Notifications(Stream):
    """Raises and withdraws notifications. It stores one row for each notification that is not withdrawn."""

    name = "notifications"
    model = "notifications"

    def __init__(self, emit: Emit, raised: RaisedNotifications) -> None:
        super().__init__(emit)
        self._raised = raised

    @on(TweetLiked)
    def liked(self, event: TweetLiked, about: Envelope) -> None:
        """Notify the author."""
        self._raise("like", event.actor, event.tweet, event.author, event.tweet, about)

    @on(TweetUnliked)
    def unliked(self, event: TweetUnliked, about: Envelope) -> None:
        """Withdraw the notification of the like."""
        self._withdraw(("like",), event.actor, event.tweet, about)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """Notify the author."""
        self._raise("retweet", event.actor, event.tweet, event.author, event.tweet, about)

    @on(RetweetUndone)
    def retweet_undone(self, event: RetweetUndone, about: Envelope) -> None:
        """Withdraw the notification of the retweet."""
        self._withdraw(("retweet",), event.actor, event.tweet, about)

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """Notify the followee."""
        self._raise("follow", event.follower, event.followee, event.followee, None, about)

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """Withdraw the notification of the follow."""
        self._withdraw(("follow",), event.follower, event.followee, about)

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Notify the accounts that the tweet replies to, quotes and mentions."""
        if event.imported:
            return
        told: dict[AccountId, Kind] = dict.fromkeys(_mentioned(event.entities), "mention")
        if event.quote_of is not None:
            told[event.quote_of.author] = "quote"
        if event.reply_to is not None:
            told[event.reply_to.author] = "reply"
        for recipient, kind in told.items():
            self._raise(kind, event.author, event.tweet, recipient, event.tweet, about)

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Notify newly mentioned accounts, and withdraw the notifications of accounts that are no longer mentioned."""
        mentioned = _mentioned(event.entities)
        standing = [raised for raised in self._raised.of(event.author, event.tweet) if raised.kind in _ADDRESSED]
        for raised in standing:
            if raised.kind == "mention" and raised.recipient not in mentioned:
                self._withdraw_one(raised, event.author, event.tweet, about)
        told = {raised.recipient for raised in standing}
        for recipient in mentioned:
            if recipient not in told:
                self._raise("mention", event.author, event.tweet, recipient, event.tweet, about)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Withdraw the notifications of the tweet. (Likes of it belong to other entities: reads leave theirs out.)"""
        self._withdraw(_ADDRESSED, event.author, event.tweet, about)

    async def prepare(self, events: Sequence[Event]) -> None:
        """Fetch the stored notifications that these events may withdraw."""
        await self._raised.fetch([about for event in events if (about := _may_withdraw(event)) is not None])

    def _raise(
        self, kind: Kind, actor: AccountId, about: str, recipient: AccountId, tweet: TweetId | None, source: Envelope
    ) -> None:
        if recipient == actor or millis(source.id) - source.time > HISTORY_MS:
            return
        notification = notification_id(source)
        self._raised.put(actor, about, Raised(kind, recipient, notification))
        self.emit(
            NotificationRaised(notification=notification, recipient=recipient, kind=kind, actor=actor, tweet=tweet),
            source,
        )

    def _withdraw(self, kinds: tuple[str, ...], actor: AccountId, about: str, source: Envelope) -> None:
        for raised in self._raised.of(actor, about):
            if raised.kind in kinds:
                self._withdraw_one(raised, actor, about, source)

    def _withdraw_one(self, raised: Raised, actor: AccountId, about: str, source: Envelope) -> None:
        self._raised.remove(actor, about, raised)
        self.emit(NotificationWithdrawn(notification=raised.notification, recipient=raised.recipient), source)


def _may_withdraw(event: Event) -> tuple[AccountId, str] | None:
    """Return the actor, and the tweet or account, whose notifications the event may withdraw; None if it withdraws
    none.
    """
    match event:
        case TweetUnliked() | RetweetUndone():
            return event.actor, event.tweet
        case AccountUnfollowed():
            return event.follower, event.followee
        case TweetEdited() | TweetDeleted():
            return event.author, event.tweet
    return None


def _mentioned(entities: Entities) -> list[AccountId]:
    """Return the mentioned accounts without duplicates, in the order of the text."""
    found = dict.fromkeys(mention.account for mention in entities.mentions if mention.account is not None)
    return [AccountId(account) for account in found]
