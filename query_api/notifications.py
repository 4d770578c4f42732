"""The notifications of an account as items, and the number of unread items.

Likes of one tweet are one item, and so are retweets of one tweet. The position and the read mark of the item are those
of its newest notification. Notifications by accounts that the viewer blocks or mutes, or that block the viewer, are
left out, and so are notifications about deleted tweets. Unread items are counted by the same rules, so the count equals
the number of items shown as unread. It goes up to 99, and at most 5,000 notifications are read for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from events.ids import AccountId, NotificationId, TweetId, millis
from rest import resources
from rest.times import rfc3339
from stores.notifications import GROUPED, KINDS, Group, Member, Notification
from stores.pages import Page
from stores.readers import Readers

from .hydration import hydrate

MOST_COUNTED = 99
MOST_SHOWN_ACTORS = 10
_MOST_MEMBERS = MOST_COUNTED + 1
_MOST_LOOKED_AT = 5000
_FIRST, _MORE = 50, 500
"""Notifications per read: few in the first read, because most pages and counts need no more; then many."""


class Item(NamedTuple):
    """One item. `id` is that of its newest notification, `actors` are newest first, `together` is their number, up to
    99.
    """

    id: NotificationId
    kind: str
    tweet: TweetId | None
    actors: list[AccountId]
    together: int
    read: bool


class Walk:
    """Reads a viewer's items, newest first, as they were when `up_to` was the newest notification."""

    def __init__(self, readers: Readers, viewer: AccountId, kinds: Collection[str], up_to: str | None) -> None:
        self._readers = readers
        self._viewer = viewer
        self._kinds = kinds
        self._groups: dict[Group, list[Member]] = {}
        self.up_to = up_to
        self.looked_at = 0

    async def on(self, before: str | None) -> Page[Item]:
        """Read the next notifications older than `before`. Return the items whose newest notification is among them."""
        size = _MORE if self.looked_at else _FIRST
        page = await self._readers.notifications.newest(self._viewer, self._kinds, before, size)
        self.looked_at += size
        if self.up_to is None and page.items:
            self.up_to = page.items[0].id
        rows = await self._visible(page.items)
        marks = await self._readers.notifications.marks(self._viewer, [row.id for row in rows])
        items = []
        for row in rows:
            members = self._group(row)
            if members and members[0].id == row.id:
                actors = [member.actor for member in members]
                first, together = actors[:MOST_SHOWN_ACTORS], min(len(actors), MOST_COUNTED)
                items.append(Item(row.id, row.kind, row.tweet, first, together, marks.covers(row.id)))
        return Page(items, page.next)

    def _group(self, row: Notification) -> list[Member]:
        """Return the visible members of a notification's item, newest first. A kind without groups has one member."""
        if row.tweet is None or row.kind not in GROUPED:
            return [Member(row.id, row.actor)]
        return self._groups[row.kind, row.tweet]

    async def _visible(self, rows: list[Notification]) -> list[Notification]:
        """Return the notifications that the viewer may see. The visible members of their groups are read as well."""
        groups = {(row.kind, row.tweet) for row in rows if row.tweet is not None and row.kind in GROUPED}
        members = await self._readers.notifications.members(
            self._viewer, groups - self._groups.keys(), self.up_to, _MOST_MEMBERS
        )
        actors = {row.actor for row in rows}
        actors.update(member.actor for group in members.values() for member in group)
        unseen = await self._readers.graph.unseen(self._viewer, actors)
        hidden = unseen.blocked | unseen.muted
        for group, found in members.items():
            self._groups[group] = [member for member in found if member.actor not in hidden]
        tweets = await self._readers.tweets.by_ids({row.tweet for row in rows if row.tweet is not None})
        there = {id_ for id_, tweet in tweets.items() if not tweet.deleted}
        return [row for row in rows if row.actor not in hidden and (row.tweet is None or row.tweet in there)]

    @property
    def far_enough(self) -> bool:
        """Whether the bound of notifications to read is reached."""
        return self.looked_at >= _MOST_LOOKED_AT


async def shown(
    readers: Readers, viewer: AccountId, kinds: Collection[str], before: str | None, limit: int
) -> Page[resources.Notification]:
    """Return a page of items.

    A position has the newest notification of the first page and the last one shown. So new notifications do not move an
    item from one page to another.
    """
    up_to, _, position = (before or "").partition(" ")
    walk = Walk(readers, viewer, kinds, up_to or None)
    with readers.snapshot():
        page = await walk.on(position or None)
        items = page.items
        while page.next is not None and len(items) < limit and not walk.far_enough:
            page = await walk.on(page.next)
            items += page.items
        next_ = items[limit - 1].id if len(items) > limit else page.next
        return Page(await _hydrated(readers, viewer, items[:limit]), None if next_ is None else f"{walk.up_to} {next_}")


async def _hydrated(readers: Readers, viewer: AccountId, items: list[Item]) -> list[resources.Notification]:
    tweets = {item.tweet for item in items if item.tweet is not None}
    hydrated = await hydrate(readers, viewer, tweets, {actor for item in items for actor in item.actors})
    return [
        resources.Notification(
            item.id,
            item.kind,
            rfc3339(millis(item.id)),
            item.read,
            [hydrated.authors[actor] for actor in item.actors if actor in hydrated.authors],
            item.together,
            None if item.tweet is None else hydrated.tweets.get(item.tweet),
        )
        for item in items
    ]


async def as_raised(
    readers: Readers, viewer: AccountId, raised: Sequence[Notification]
) -> list[resources.Notification | None]:
    """Return each new notification as its item, for the viewer's open streams.

    None if the viewer must not see it, or if a later one of the same item is among them. The read model may not have
    applied the notification yet: missing data is taken from the notification, and a missing tweet is null.
    """
    last = {_item_key(row): row.id for row in raised}
    rows = [row for row in raised if last[_item_key(row)] == row.id]
    with readers.snapshot():
        groups = {(row.kind, row.tweet) for row in rows if row.tweet is not None and row.kind in GROUPED}
        newest = max(row.id for row in rows)
        found = await readers.notifications.members(viewer, groups, newest, _MOST_MEMBERS)
        members = {row.id: _members(row, found.get((row.kind, row.tweet), []) if row.tweet else []) for row in rows}
        unseen = await readers.graph.unseen(viewer, {member.actor for each in members.values() for member in each})
        hidden = unseen.blocked | unseen.muted
        tweets = await readers.tweets.by_ids({row.tweet for row in rows if row.tweet is not None})
        marks = await readers.notifications.marks(viewer, [row.id for row in rows])
        items = []
        for row in rows:
            gone = row.tweet in tweets and tweets[row.tweet].deleted
            if row.actor not in hidden and not gone:
                actors = [member.actor for member in members[row.id] if member.actor not in hidden]
                first, together = actors[:MOST_SHOWN_ACTORS], min(len(actors), MOST_COUNTED)
                items.append(Item(row.id, row.kind, row.tweet, first, together, marks.covers(row.id)))
        shown = {item.id: item for item in await _hydrated(readers, viewer, items) if item.actors}
    return [shown.get(row.id) for row in raised]


def _item_key(row: Notification) -> object:
    return (row.kind, row.tweet) if row.kind in GROUPED else row.id


def _members(row: Notification, found: list[Member]) -> list[Member]:
    """Return the members of the item whose newest notification is `row`, `row` first."""
    return [Member(row.id, row.actor), *(member for member in found if member.id < row.id)]


async def unread_count(readers: Readers, viewer: AccountId) -> int:
    """Return the number of items shown as unread, up to 99."""
    walk = Walk(readers, viewer, KINDS, None)
    with readers.snapshot():
        mark = (await readers.notifications.marks(viewer, ())).up_to
        count, position = 0, None
        while count < MOST_COUNTED and not walk.far_enough:
            page = await walk.on(position)
            count += sum(not item.read for item in page.items)
            position = page.next
            if position is None or position <= mark:
                break
    return min(count, MOST_COUNTED)
