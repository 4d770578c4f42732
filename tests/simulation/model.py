"""What must be true, in plain sets and lists: the oracle that the system is held against.

It folds the events that commands were found to have appended; what commands have to append is in rules.py. The
definitions of what is read follow from the sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from events.accounts import AccountRegistered, ProfileChanged, Role, RoleChanged
from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.event import Envelope, Event
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import at_time, millis
from events.personal import (
    AccountMuted,
    AccountUnmuted,
    BookmarkRemoved,
    NotificationRead,
    NotificationsRead,
    TweetBookmarked,
)
from events.tweets import TweetDeleted, TweetEdited, TweetPosted, TweetRef

HISTORY_MS = 30 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and what its writer knows to be in it."""

    text: str
    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """What an account wants. `actor` and `other` are account ids, `tweet` what it is about."""

    verb: str
    actor: str
    tweet: str = ""
    other: str = ""
    text: Text = Text("")
    reply_to: str | None = None
    quote_of: str | None = None
    if_version: int | None = None
    notification: str = ""
    at: int = 0
    """When an imported tweet was written."""
    source: str = ""
    """What an imported tweet is known by where it comes from."""
    role: Role | None = None


@dataclass(slots=True)
class Tweet:
    """A tweet that was posted; `texts` are all its versions."""

    id: str
    author: str
    time: int
    conversation: str
    reply_to: TweetRef | None
    quote_of: TweetRef | None
    texts: list[Text]
    mentioned: dict[str, str]
    deleted: bool = False

    @property
    def text(self) -> Text:
        """The newest text."""
        return self.texts[-1]

    @property
    def thread(self) -> bool:
        """Whether it is a reply of the author to itself."""
        return self.reply_to is not None and self.reply_to.author == self.author


class Activity(NamedTuple):
    """An item of a timeline, ordered by its id."""

    id: str
    tweet: str
    by: str
    retweet: bool
    reply_to: str | None


class Raised(NamedTuple):
    """A notification that stands; it has the id of its event, at the time when that happened."""

    recipient: str
    id: str
    kind: str
    actor: str
    tweet: str | None


@dataclass
class Model:
    """Everything that was acknowledged, or found in the log after a crash."""

    accounts: dict[str, str] = field(default_factory=dict)
    profiles: dict[str, list[str]] = field(default_factory=dict)
    """The display names that each account had."""
    roles: dict[str, Role] = field(default_factory=dict)
    tweets: dict[str, Tweet] = field(default_factory=dict)
    activities: dict[str, Activity] = field(default_factory=dict)
    follows: dict[tuple[str, str], str] = field(default_factory=dict)
    ended: set[tuple[str, str]] = field(default_factory=set)
    """Follows that there were."""
    blocks: dict[tuple[str, str], str] = field(default_factory=dict)
    mutes: dict[tuple[str, str], str] = field(default_factory=dict)
    likes: dict[tuple[str, str], str] = field(default_factory=dict)
    retweets: dict[tuple[str, str], str] = field(default_factory=dict)
    bookmarks: dict[tuple[str, str], str] = field(default_factory=dict)
    raised: list[Raised] = field(default_factory=list)
    read: set[tuple[str, str]] = field(default_factory=set)
    read_up_to: dict[str, str] = field(default_factory=dict)

    # What an event changes

    def fold(self, event: Event, about: Envelope, text: Text) -> None:
        """Take in an event that a command appended; `text` is the one it wrote, if it wrote one."""
        at = at_time(about.id, about.time)
        match event:
            case AccountRegistered():
                self.accounts[event.username.lower()] = event.account
                self.profiles[event.account] = [event.display_name]
            case ProfileChanged():
                self.profiles[event.account].append(event.profile.display_name)
            case RoleChanged():
                self.roles[event.account] = event.role
            case TweetPosted():
                self._posted(event, about, at, text)
            case TweetEdited():
                tweet = self.tweets[event.tweet]
                tweet.texts.append(text)
                tweet.mentioned = self.mentioned(text)
                self._tell_anew(tweet, at)
            case TweetDeleted():
                self.tweets[event.tweet].deleted = True
                self._untell(event.author, event.tweet, "reply", "quote", "mention")
            case TweetLiked():
                self.likes[event.actor, event.tweet] = at
                self._tell("like", event.actor, event.author, event.tweet, at)
            case TweetUnliked():
                del self.likes[event.actor, event.tweet]
                self._untell(event.actor, event.tweet, "like")
            case TweetRetweeted():
                self.retweets[event.actor, event.tweet] = event.retweet
                self.activities[event.retweet] = Activity(event.retweet, event.tweet, event.actor, True, None)
                self._tell("retweet", event.actor, event.author, event.tweet, at)
            case RetweetUndone():
                del self.activities[self.retweets.pop((event.actor, event.tweet))]
                self._untell(event.actor, event.tweet, "retweet")
            case TweetBookmarked():
                self.bookmarks[event.owner, event.tweet] = at
            case BookmarkRemoved():
                del self.bookmarks[event.owner, event.tweet]
            case AccountFollowed():
                self.follows[event.follower, event.followee] = at
                if millis(about.id) - about.time <= HISTORY_MS:
                    self._tell("follow", event.follower, event.followee, None, at)
            case AccountUnfollowed():
                del self.follows[event.follower, event.followee]
                self.ended.add((event.follower, event.followee))
                self._untell(event.follower, None, "follow", recipient=event.followee)
            case AccountBlocked():
                self.blocks[event.blocker, event.blocked] = at
            case AccountUnblocked():
                del self.blocks[event.blocker, event.blocked]
            case AccountMuted():
                self.mutes[event.owner, event.muted] = at
            case AccountUnmuted():
                del self.mutes[event.owner, event.muted]
            case NotificationRead():
                self.read.add((event.owner, event.notification))
            case NotificationsRead():
                self.read_up_to[event.owner] = event.up_to

    def _posted(self, event: TweetPosted, about: Envelope, at: str, text: Text) -> None:
        self.tweets[event.tweet] = Tweet(
            event.tweet,
            event.author,
            about.time,
            event.conversation,
            event.reply_to,
            event.quote_of,
            [text],
            self.mentioned(text),
        )
        reply = event.reply_to.author if event.reply_to else None
        self.activities[event.tweet] = Activity(event.tweet, event.tweet, event.author, False, reply)
        if event.imported:
            return
        told = dict.fromkeys(self.mentioned(text).values(), "mention")
        if event.quote_of is not None:
            told[event.quote_of.author] = "quote"
        if event.reply_to is not None:
            told[event.reply_to.author] = "reply"
        for recipient, kind in told.items():
            self._tell(kind, event.author, recipient, event.tweet, at)

    def _tell_anew(self, tweet: Tweet, at: str) -> None:
        """An edit tells those who are mentioned now and not told yet; those who are mentioned no more are not told."""
        told = {r.recipient for r in self.raised if (r.actor, r.tweet) == (tweet.author, tweet.id)}
        named = tweet.mentioned.values()
        for recipient in told - set(named):
            self._untell(tweet.author, tweet.id, "mention", recipient=recipient)
        for recipient in named:
            if recipient not in told:
                self._tell("mention", tweet.author, recipient, tweet.id, at)

    def _tell(self, kind: str, actor: str, recipient: str, tweet: str | None, at: str) -> None:
        if actor != recipient:
            self.raised.append(Raised(recipient, at, kind, actor, tweet))

    def _untell(self, actor: str, tweet: str | None, *kinds: str, recipient: str | None = None) -> None:
        self.raised = [
            r
            for r in self.raised
            if (r.actor, r.tweet) != (actor, tweet) or r.kind not in kinds or recipient not in (None, r.recipient)
        ]

    def mentioned(self, text: Text) -> dict[str, str]:
        """The accounts that the names in a text mean at this moment."""
        return {name: self.accounts[name] for name in text.names if name in self.accounts}

    # What is read

    def apart(self, a: str, b: str) -> bool:
        """Whether a block stands between two accounts."""
        return (a, b) in self.blocks or (b, a) in self.blocks

    def hidden(self, viewer: str, account: str) -> bool:
        """Whether a viewer does not get to see an account in lists."""
        return self.apart(viewer, account) or (viewer, account) in self.mutes

    def feed(self, viewer: str) -> list[Activity]:
        """The home feed, by its definition (law 5)."""
        circle = {viewer} | {followee for follower, followee in self.follows if follower == viewer}
        return [
            a
            for _, a in sorted(self.activities.items(), reverse=True)
            if a.by in circle
            and (a.by == viewer or a.reply_to is None or a.reply_to in circle)
            and not self.tweets[a.tweet].deleted
            and not self.hidden(viewer, a.by)
            and not self.hidden(viewer, self.tweets[a.tweet].author)
        ]
