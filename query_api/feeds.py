"""Lists of tweets as the API returns them: home feed, user timelines, public timeline, hashtags, likes, bookmarks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from events.entities import fold_tag
from events.ids import AccountId, TweetId
from rest import resources
from stores.pages import Page
from stores.readers import Readers
from stores.user_timelines import Activity

from .filling import fill
from .hydration import hydrate, made_at

ListTweets = Callable[[str | None, int], Awaitable[Page[TweetId]]]


async def home_feed(readers: Readers, viewer: AccountId, before: str | None, limit: int) -> Page[resources.FeedItem]:
    """Return a page of the viewer's feed (stores/home_feed.py), without deleted, blocked and muted entries."""

    async def show(activities: list[Activity]) -> list[resources.FeedItem]:
        return await feed_items(readers, viewer, activities)

    with readers.snapshot():
        return await fill(partial(readers.home_feed.page, viewer), show, before, limit)


async def feed_items(
    readers: Readers, viewer: AccountId | None, activities: Sequence[Activity]
) -> list[resources.FeedItem]:
    """Return the activities as feed items, without those that the viewer must not see."""
    return [item for item in await feed_item_of_each(readers, viewer, activities) if item is not None]


async def feed_item_of_each(
    readers: Readers, viewer: AccountId | None, activities: Sequence[Activity]
) -> list[resources.FeedItem | None]:
    """Return an item for each activity; None if the viewer must not see it."""
    hydrated = await hydrate(readers, viewer, [a.tweet for a in activities], {a.by for a in activities})
    tweets, authors, muted = hydrated
    items: list[resources.FeedItem | None] = []
    for activity in activities:
        tweet = tweets.get(activity.tweet)
        by = authors.get(activity.by)
        if tweet is None or by is None or (muted and (activity.by in muted or tweet.author.id in muted)):
            items.append(None)
        else:
            items.append(_item(activity, tweet, by))
    return items


def _item(activity: Activity, tweet: resources.Tweet, by: resources.Author) -> resources.FeedItem:
    if activity.retweet:
        return resources.FeedItem(tweet, resources.Reason("retweeted", by, made_at(activity.id)))
    return resources.FeedItem(tweet, resources.Reason("posted", by, tweet.created_at))


async def user_timeline(
    readers: Readers, viewer: AccountId | None, account: AccountId, replies: bool, before: str | None, limit: int
) -> Page[resources.FeedItem]:
    """Return a page of an account's posts and retweets. A muted account is shown, because the viewer named it."""
    timeline = readers.user_timelines.all if replies else readers.user_timelines.without_replies

    async def show(activities: list[Activity]) -> list[resources.FeedItem]:
        hydrated = await hydrate(readers, viewer, [a.tweet for a in activities], (account,))
        by = hydrated.authors.get(account)
        muted = hydrated.muted - {account}
        return [
            _item(activity, tweet, by)
            for activity in activities
            if by is not None
            and (tweet := hydrated.tweets.get(activity.tweet)) is not None
            and tweet.author.id not in muted
        ]

    with readers.snapshot():
        return await fill(partial(timeline, account), show, before, limit)


async def public_timeline(
    readers: Readers, viewer: AccountId | None, before: str | None, limit: int
) -> Page[resources.Tweet]:
    """Return a page of all accounts' posts."""
    return await offered(readers, viewer, readers.public_timeline.latest, before, limit)


async def by_hashtag(
    readers: Readers, viewer: AccountId | None, tag: str, before: str | None, limit: int
) -> Page[resources.Tweet]:
    """Return a page of the tweets with a hashtag, in any spelling."""
    return await offered(readers, viewer, partial(readers.hashtags.tweets, fold_tag(tag)), before, limit)


async def likes(
    readers: Readers, viewer: AccountId | None, account: AccountId, before: str | None, limit: int
) -> Page[resources.Tweet]:
    """Return a page of the tweets that an account likes."""
    return await chosen(readers, viewer, partial(readers.engagement.likes, account), before, limit)


async def bookmarks(readers: Readers, owner: AccountId, before: str | None, limit: int) -> Page[resources.Tweet]:
    """Return a page of the owner's bookmarks."""
    return await chosen(readers, owner, partial(readers.engagement.bookmarks, owner), before, limit)


async def offered(
    readers: Readers, viewer: AccountId | None, page: ListTweets, before: str | None, limit: int
) -> Page[resources.Tweet]:
    """Return a page of a list that the viewer did not choose: muted authors are left out."""

    async def show(ids: list[TweetId]) -> list[resources.Tweet]:
        return (await hydrate(readers, viewer, ids)).offered(ids)

    with readers.snapshot():
        return await fill(page, show, before, limit)


async def chosen(
    readers: Readers, viewer: AccountId | None, page: ListTweets, before: str | None, limit: int
) -> Page[resources.Tweet]:
    """Return a page of a list that an account made by hand: muted authors are shown."""

    async def show(ids: list[TweetId]) -> list[resources.Tweet]:
        return (await hydrate(readers, viewer, ids)).chosen(ids)

    with readers.snapshot():
        return await fill(page, show, before, limit)
