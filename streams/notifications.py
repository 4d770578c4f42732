"""Who may want to know of what others do: the topic `notifications`, derived.

| what happened | who is told | taken back by |
|---|---|---|
| a like, a retweet | the author | unlike, undo |
| a follow | the one followed | unfollow |
| a reply | the author replied to | the tweet deleted |
| a quote | the author quoted | the tweet deleted |
| a mention, as posted or added by an edit | the account mentioned | the tweet deleted, or an edit that leaves it out |

Nobody is told of what they did themselves, and nobody twice of one tweet: a reply is a reply, even if it mentions and
quotes its recipient as well; then a quote counts before a mention. A like that is taken back and given again is
raised anew, for it happened anew.

Nobody is told of history: not of imported tweets, nor of anything that was recorded more than 30 days after it
happened, as imported follows are.

What was raised is remembered until it is withdrawn, because a withdrawal says which notification it withdraws and an
unlike does not say when the like was. All events that raise or withdraw one notification are of one entity (an
actor's engagement, a follower's graph, an author's tweets), so they come in their order (law 3).
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
    """The id of the notifications that an event raises, one a recipient: the event's own, at the time it happened.

    So deriving them again gives the same, and they sort by time, and within a millisecond by cause.
    """
    return NotificationId(at_time(source.id, source.time))


class Notifications(Stream):
    """Raises and withdraws notifications; one row of its own for each that stands."""

    name = "notifications"
    model = "notifications"

    def __init__(self, emit: Emit, raised: RaisedNotifications) -> None:
        super().__init__(emit)
        self._raised = raised

    @on(TweetLiked)
    def liked(self, event: TweetLiked, about: Envelope) -> None:
        """Tell the author."""
        self._raise("like", event.actor, event.tweet, event.author, event.tweet, about)

    @on(TweetUnliked)
    def unliked(self, event: TweetUnliked, about: Envelope) -> None:
        """The like is no more."""
        self._withdraw(("like",), event.actor, event.tweet, about)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """Tell the author."""
        self._raise("retweet", event.actor, event.tweet, event.author, event.tweet, about)

    @on(RetweetUndone)
    def retweet_undone(self, event: RetweetUndone, about: Envelope) -> None:
        """The retweet is no more."""
        self._withdraw(("retweet",), event.actor, event.tweet, about)

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """Tell the one followed."""
        self._raise("follow", event.follower, event.followee, event.followee, None, about)

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """The follow is no more."""
        self._withdraw(("follow",), event.follower, event.followee, about)

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Tell those it answers, quotes and mentions."""
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
        """Tell those it mentions now; to those it mentions no more it has nothing to say."""
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
        """It has nothing to say to anybody. (Likes of it are of other entities: they are left out when read.)"""
        self._withdraw(_ADDRESSED, event.author, event.tweet, about)

    async def prepare(self, events: Sequence[Event]) -> None:
        """What stands of those that these events may withdraw."""
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
    """The actor, and the tweet or account, whose notifications an event may withdraw."""
    match event:
        case TweetUnliked() | RetweetUndone():
            return event.actor, event.tweet
        case AccountUnfollowed():
            return event.follower, event.followee
        case TweetEdited() | TweetDeleted():
            return event.author, event.tweet
    return None


def _mentioned(entities: Entities) -> list[AccountId]:
    """The accounts mentioned, each once, in the order of the text."""
    found = dict.fromkeys(mention.account for mention in entities.mentions if mention.account is not None)
    return [AccountId(account) for account in found]
