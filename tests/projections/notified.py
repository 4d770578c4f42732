"""A simple model of notifications, and a community whose notifications a test can read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.entities import Entities
from events.graph import AccountFollowed, AccountUnfollowed
from events.ids import AccountId, Millis, NotificationId, TweetId
from events.log import Record
from events.personal import NotificationRead, NotificationsRead
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from query_api.notifications import shown, unread_count
from rest import resources
from stores.notifications import KINDS
from streams.notifications import notification_id
from tests.community import Community
from tests.projections.projected import Projected, projected

Seen = tuple[str, str, str | None, tuple[str, ...], int, bool]
"""An item as the API returns it: id, kind, tweet, actors, count, read."""


# The simple model: it applies the events in the order in which they happened, and keeps everything.


@dataclass
class Model:
    rows: dict[tuple[str, AccountId, str, AccountId], NotificationId] = field(default_factory=dict)
    read: set[tuple[AccountId, NotificationId]] = field(default_factory=set)

    def raise_(self, kind: str, actor: AccountId, about: str, recipient: AccountId, id_: NotificationId) -> None:
        if actor != recipient:
            self.rows[kind, actor, about, recipient] = id_

    def fold(self, record: Record) -> None:
        event, id_ = record.event, notification_id(record.about)
        if isinstance(event, TweetLiked):
            self.raise_("like", event.actor, event.tweet, event.author, id_)
        elif isinstance(event, TweetRetweeted):
            self.raise_("retweet", event.actor, event.tweet, event.author, id_)
        elif isinstance(event, AccountFollowed):
            self.raise_("follow", event.follower, event.followee, event.followee, id_)
        elif isinstance(event, TweetUnliked):
            self.rows.pop(("like", event.actor, event.tweet, event.author), None)
        elif isinstance(event, RetweetUndone):
            self.rows.pop(("retweet", event.actor, event.tweet, event.author), None)
        elif isinstance(event, AccountUnfollowed):
            self.rows.pop(("follow", event.follower, event.followee, event.followee), None)
        elif isinstance(event, TweetPosted) and not event.imported:
            if event.reply_to is not None:
                self.raise_("reply", event.author, event.tweet, event.reply_to.author, id_)
            if event.quote_of is not None:
                self.raise_first("quote", event.author, event.tweet, event.quote_of.author, id_)
            for account in mentioned(event.entities):
                self.raise_first("mention", event.author, event.tweet, account, id_)
        elif isinstance(event, TweetEdited):
            for key in [key for key in self.rows if key[:3] == ("mention", event.author, event.tweet)]:
                if key[3] not in mentioned(event.entities):
                    del self.rows[key]
            for account in mentioned(event.entities):
                self.raise_first("mention", event.author, event.tweet, account, id_)
        elif isinstance(event, TweetDeleted):
            self.rows = {key: id_ for key, id_ in self.rows.items() if key[2] != event.tweet}
        elif isinstance(event, NotificationRead):
            self.read.add((event.owner, event.notification))

    def raise_first(self, kind: str, actor: AccountId, about: str, recipient: AccountId, id_: NotificationId) -> None:
        if not any(key[1:] == (actor, about, recipient) for key in self.rows):
            self.raise_(kind, actor, about, recipient, id_)

    def shown_to(self, viewer: AccountId, community: Community, kinds: Sequence[str] = KINDS) -> list[Seen]:
        groups: dict[tuple[str, ...], list[tuple[NotificationId, AccountId]]] = {}
        for (kind, actor, about, recipient), id_ in self.rows.items():
            if recipient == viewer and kind in kinds and not unseen(community, viewer, actor):
                group: tuple[str, ...] = (kind, about) if kind in ("like", "retweet") else (kind, about, actor)
                groups.setdefault(group, []).append((id_, actor))
        items = []
        for group, members in groups.items():
            members.sort(reverse=True)
            newest = members[0][0]
            tweet = None if group[0] == "follow" else group[1]
            read = (viewer, newest) in self.read or newest <= read_up_to(community, viewer)
            items.append((newest, group[0], tweet, tuple(actor for _, actor in members), len(members), read))
        return sorted(items, reverse=True)


def mentioned(entities: Entities) -> set[AccountId]:
    return {AccountId(mention.account) for mention in entities.mentions if mention.account is not None}


def unseen(community: Community, viewer: AccountId, other: AccountId) -> bool:
    return community.hidden(viewer, other) or (viewer, other) in community.mutes


def read_up_to(community: Community, viewer: AccountId) -> str:
    marks = [r.event.up_to for r in community.records if isinstance(r.event, NotificationsRead) and r.key == viewer]
    return max(marks, default="")


def as_seen(item: resources.Notification) -> Seen:
    tweet = None if item.tweet is None else item.tweet.id
    return item.id, item.kind, tweet, tuple(actor.id for actor in item.actors), item.count, item.read


async def pages(
    models: Projected, viewer: AccountId, limit: int = 100, kinds: Sequence[str] = KINDS
) -> list[list[Seen]]:
    """Return all pages of a viewer's notifications."""
    found, position = [], None
    while True:
        page = await shown(models.readers, viewer, kinds, position, limit)
        found.append([as_seen(item) for item in page.items])
        position = page.next
        if position is None:
            return found


class Told:
    """A community of four, and their notifications."""

    def __init__(self) -> None:
        self.community = Community()
        self.ada, self.bob, self.cyd, self.dan = (self.community.register() for _ in range(4))
        self._models: list[Projected] = []

    def post(self, by: AccountId, text: str = "hello", **refers: TweetId) -> TweetId:
        """Post a text as one of them; `user0` is ada, and so on."""
        self.later()
        self.community.post(by, 0, **refers)
        posted = self.community.records.pop()
        assert isinstance(posted.event, TweetPosted)
        entities = self.community._entities(text)
        event = TweetPosted(
            tweet=posted.event.tweet,
            author=by,
            text=text,
            entities=entities,
            conversation=posted.event.conversation,
            reply_to=posted.event.reply_to,
            quote_of=posted.event.quote_of,
        )
        self.community.tell(event, by)
        return event.tweet

    def edit(self, tweet: TweetId, text: str) -> None:
        self.later()
        author = self.community.tweets[tweet].author
        self.community.tell(
            TweetEdited(tweet=tweet, author=author, version=2, text=text, entities=self.community._entities(text)),
            author,
        )

    def later(self, ms: int = 1) -> None:
        self.community.now = Millis(self.community.now + ms)

    def like(self, by: AccountId, tweet: TweetId) -> None:
        self.later()
        self.community.like(by, tweet)

    def models(self) -> Projected:
        self._models.append(projected([self.community.records]))
        return self._models[-1]

    def items(self, viewer: AccountId) -> list[Seen]:
        return [item for page in asyncio.run(pages(self.models(), viewer)) for item in page]

    def kinds(self, viewer: AccountId) -> list[str]:
        return [kind for _, kind, *_ in self.items(viewer)]

    def unread(self, viewer: AccountId) -> int:
        return asyncio.run(unread_count(self.models().readers, viewer))

    def close(self) -> None:
        for models in self._models:
            models.close()
