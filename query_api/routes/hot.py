"""The two most frequent reads without FastAPI: a tweet, and the first page of the home feed.

FastAPI's routing and dependencies are half of their cost. They call the same functions as the documented routes in
tweets.py and feeds.py and answer the same (tests/scenarios/test_hot_routes.py compares them). Requests with other
parameters go to the documented routes.
"""

from __future__ import annotations

import re

import msgspec

from rest.admission import API
from rest.edge import Hot
from rest.exchange import JSON, Exchange, PlainResponse, Receive, Scope
from rest.route_problems import reads_of
from rest.routing import Page, etag_of, matches

from ..feeds import home_feed
from ..serving import Queries, account_of
from ..tweets import shown_tweet
from .feeds import get_feed
from .tweets import get_tweet

FEED_PATH = f"{API}/feed"
TWEET_PATH = f"{API}/tweets/"
PLAIN_FEED = re.compile(rb"(?:limit=([1-9][0-9]?|100))?")
"""The query strings of the feed that are answered here."""
_FEED_READS, _TWEET_READS = reads_of(get_feed), reads_of(get_tweet)


def hot_tweet(queries: Queries) -> Hot:
    """Return the handler of GET /tweets/{id}, for paths that end with the id."""

    async def handler(exchange: Exchange, scope: Scope, receive: Receive) -> PlainResponse:
        id_ = scope["path"][len(TWEET_PATH) :]
        await exchange.before_reading(_TWEET_READS)
        tweet = await shown_tweet(queries.readers(), account_of(exchange.viewer()), id_)
        body = msgspec.json.encode(tweet)
        etag = etag_of(body, tweet.version)
        known = exchange.headers.get(b"if-none-match")
        if known is not None and matches(known.decode("latin-1"), etag):
            return PlainResponse(304, b"", [(b"etag", etag.encode())])
        return PlainResponse(200, body, [JSON, (b"etag", etag.encode())])

    return handler


def hot_feed(queries: Queries) -> Hot:
    """Return the handler of the first page of GET /feed."""

    async def handler(exchange: Exchange, scope: Scope, receive: Receive) -> PlainResponse:
        viewer = exchange.signed_in().account
        await exchange.before_reading(_FEED_READS)
        asked = PLAIN_FEED.fullmatch(scope["query_string"])
        limit = int(asked[1]) if asked and asked[1] else 20
        page = await home_feed(queries.readers(), viewer, None, limit)
        headers = [JSON]
        cursor = None
        if page.next is not None:
            cursor = queries.cursors.make(f"feed {viewer}", page.next)
            headers.append((b"link", _next(limit if asked and asked[1] else None, cursor)))
        return PlainResponse(200, msgspec.json.encode(Page(page.items, cursor)), headers)

    return handler


def _next(limit: int | None, cursor: str) -> bytes:
    asked = "" if limit is None else f"limit={limit}&"
    return f'<{FEED_PATH}?{asked}cursor={cursor}>; rel="next"'.encode()
