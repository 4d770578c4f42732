"""Reading tweets: /tweets/{id}, its likes, retweets, quotes, history and conversation, and /bookmarks."""

from __future__ import annotations

from functools import partial

import msgspec
from fastapi import Request, Response

from events.ids import TweetId
from rest import resources
from rest.openapi import answers, revalidated
from rest.route_problems import problems
from rest.routing import (
    Anyone,
    Page,
    Paged,
    SignedIn,
    TweetInPath,
    json_response,
    next_link,
    page_response,
    router,
    tagged,
)
from rest.times import rfc3339

from .. import feeds, people
from ..conversations import Conversation, conversation
from ..serving import ONE_TWEET, PEOPLE, Querying, Reading, account_of, reads
from ..tweets import shown_tweet

tweets = router("Tweets")


@tweets.get("/tweets/{id}", response_model=None)
@answers(resources.Tweet)
@revalidated
@problems("not-found", "gone")
@reads(*ONE_TWEET)
async def get_tweet(id: TweetInPath, request: Request, viewer: Anyone, readers: Reading) -> Response:
    """Get a tweet.

    404 if there is a block between its author and you, 410 if it was deleted.
    """
    tweet = await shown_tweet(readers, account_of(viewer), id)
    return tagged(request, tweet, tweet.version)


@tweets.get("/tweets/{id}/history", response_model=None)
@answers(Page[resources.TweetVersion])
@problems("not-found", "gone")
@reads(*ONE_TWEET)
async def get_tweet_history(
    id: TweetInPath, request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List all versions of a tweet's text, oldest first."""
    tweet = TweetId((await shown_tweet(readers, account_of(viewer), id)).id)
    of = f"history {tweet}"
    after = int(page.after(queries.cursors, of) or 0)
    # A tweet is edited 20 times at most, so all its versions are read at once.
    later = [version for version in await readers.tweets.history(tweet) if version.version > after]
    shown = later[: page.limit]
    items = [resources.TweetVersion(v.version, v.text, msgspec.Raw(v.entities), rfc3339(v.at)) for v in shown]
    more = str(shown[-1].version) if len(later) > len(shown) else None
    return page_response(request, items, queries.cursors, of, more)


@tweets.get("/tweets/{id}/likes", response_model=None)
@answers(Page[resources.User])
@problems("not-found", "gone")
@reads("engagement", *ONE_TWEET, *PEOPLE)
async def get_likers(
    id: TweetInPath, request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List the accounts that like a tweet, newest like first."""
    tweet = TweetId((await shown_tweet(readers, account_of(viewer), id)).id)
    of = f"likers {tweet}"
    fetch = partial(readers.engagement.likers, tweet)
    found = await people.listed(readers, account_of(viewer), fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@tweets.get("/tweets/{id}/retweets", response_model=None)
@answers(Page[resources.User])
@problems("not-found", "gone")
@reads("engagement", *ONE_TWEET, *PEOPLE)
async def get_retweeters(
    id: TweetInPath, request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List the accounts that retweeted a tweet, newest retweet first."""
    tweet = TweetId((await shown_tweet(readers, account_of(viewer), id)).id)
    of = f"retweeters {tweet}"
    fetch = partial(readers.engagement.retweeters, tweet)
    found = await people.listed(readers, account_of(viewer), fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@tweets.get("/tweets/{id}/quotes", response_model=None)
@answers(Page[resources.Tweet])
@problems("not-found", "gone")
@reads("engagement", *ONE_TWEET)
async def get_quotes(
    id: TweetInPath, request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List the tweets that quote a tweet, newest first."""
    tweet = TweetId((await shown_tweet(readers, account_of(viewer), id)).id)
    of = f"quotes {tweet}"
    fetch = partial(readers.engagement.quotes, tweet)
    found = await feeds.offered(readers, account_of(viewer), fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@tweets.get("/tweets/{id}/conversation", response_model=None)
@answers(Conversation)
@problems("not-found", "gone")
@reads("conversations", *ONE_TWEET)
async def get_conversation(
    id: TweetInPath, request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """Get a tweet's ancestors, and a page of the replies to it, nested.

    Pages go over the direct replies, oldest first.
    """
    of = f"conversation {id}"
    after = page.after(queries.cursors, of)
    found, further = await conversation(readers, account_of(viewer), TweetId(id), after, page.limit)
    if further is None:
        return json_response(found)
    cursor = queries.cursors.make(of, further)
    return json_response(msgspec.structs.replace(found, next_cursor=cursor), headers=next_link(request, cursor))


@tweets.get("/bookmarks", response_model=None)
@answers(Page[resources.Tweet])
@reads("engagement", "shown_tweets")
async def get_bookmarks(
    request: Request, viewer: SignedIn, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List your bookmarks, newest first."""
    of = f"bookmarks {viewer.account}"
    found = await feeds.bookmarks(readers, viewer.account, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)
