"""Law 5, written down once more, over any set of events: what the simulation holds every feed to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from events.engagement import RetweetUndone, TweetRetweeted
from events.event import Event
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import AccountId, ActivityId, TweetId
from events.log import Record
from events.personal import AccountMuted, AccountUnmuted
from events.tweets import TweetDeleted, TweetPosted
from stores.user_timelines import Activity

Pair = tuple[AccountId, AccountId]
TAKING_AWAY = (AccountUnfollowed, AccountBlocked, AccountMuted, TweetDeleted, RetweetUndone)


@dataclass
class Told:
    """What a set of events tells."""

    follows: set[Pair] = field(default_factory=set)
    blocks: set[Pair] = field(default_factory=set)
    mutes: set[Pair] = field(default_factory=set)
    posts: dict[TweetId, TweetPosted] = field(default_factory=dict)
    deleted: set[TweetId] = field(default_factory=set)
    retweets: dict[ActivityId, TweetRetweeted] = field(default_factory=dict)

    def tell(self, event: Event | None) -> None:
        match event:
            case AccountFollowed():
                self.follows.add((event.follower, event.followee))
            case AccountUnfollowed():
                self.follows.discard((event.follower, event.followee))
            case AccountBlocked():
                self.blocks.add((event.blocker, event.blocked))
            case AccountUnblocked():
                self.blocks.discard((event.blocker, event.blocked))
            case AccountMuted():
                self.mutes.add((event.owner, event.muted))
            case AccountUnmuted():
                self.mutes.discard((event.owner, event.muted))
            case TweetPosted():
                self.posts[event.tweet] = event
            case TweetDeleted():
                self.deleted.add(event.tweet)
            case TweetRetweeted():
                self.retweets[event.retweet] = event
            case RetweetUndone():
                self.retweets.pop(event.retweet, None)

    def muted_by(self, viewer: AccountId) -> frozenset[AccountId]:
        return frozenset(b for a, b in self.mutes if a == viewer)

    def sees(self, viewer: AccountId, activity: Activity) -> bool:
        """Whether the tweet is shown to the viewer where somebody's activity brings it up."""
        tweet = self.posts.get(activity.tweet)
        if tweet is None or tweet.tweet in self.deleted:
            return False
        unseen = {b for a, b in self.blocks | self.mutes if a == viewer} | {a for a, b in self.blocks if b == viewer}
        return not {activity.by, tweet.author} & unseen

    def feed(self, viewer: AccountId) -> list[Activity]:
        followed = {viewer} | {b for a, b in self.follows if a == viewer}
        posts = [
            Activity(ActivityId(t.tweet), t.tweet, t.author, False)
            for t in self.posts.values()
            if t.author == viewer or t.reply_to is None or t.reply_to.author in followed
        ]
        retweets = [Activity(r.retweet, r.tweet, r.actor, True) for r in self.retweets.values()]
        found = [a for a in posts + retweets if a.by in followed and self.sees(viewer, a)]
        return sorted(found, key=lambda activity: activity.id, reverse=True)


def told(records: Iterable[Record]) -> Told:
    """What records tell, once each, in the order in which it was decided."""
    result = Told()
    for record in sorted({record.about.id: record for record in records}.values(), key=lambda r: r.about.id):
        result.tell(record.event)
    return result
