"""Reading feeds: /feed, /public, /hashtags/{tag}/tweets."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request, Response

from events.entities import fold_tag
from rest import resources
from rest.openapi import answers
from rest.routing import Anyone, Page, Paged, SignedIn, page_response, router

from .. import feeds as reading
from ..serving import ACTIVITIES, Querying, Reading, account_of, reads

feeds = router("Feeds")

LONGEST_TAG = 279
"""The longest hashtag that fits into a tweet. Longer input is refused, because folding can take quadratic time."""


@feeds.get("/feed", response_model=None)
@answers(Page[resources.FeedItem])
@reads("home_feed", *ACTIVITIES)
async def get_feed(request: Request, viewer: SignedIn, page: Paged, queries: Querying, readers: Reading) -> Response:
    """List your home feed, newest first.

    It has the posts and retweets of you and of the accounts that you follow now. A reply is listed if it is your own,
    or if you also follow the account that it replies to.
    """
    of = f"feed {viewer.account}"
    found = await reading.home_feed(readers, viewer.account, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@feeds.get("/public", response_model=None)
@answers(Page[resources.Tweet])
@reads("public_timeline", "shown_tweets")
async def get_public_timeline(
    request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading
) -> Response:
    """List the posts of all accounts, newest first.

    It has neither retweets nor replies to other accounts.
    """
    found = await reading.public_timeline(
        readers, account_of(viewer), page.after(queries.cursors, "public"), page.limit
    )
    return page_response(request, found.items, queries.cursors, "public", found.next)


@feeds.get("/hashtags/{tag}/tweets", response_model=None)
@answers(Page[resources.Tweet])
@reads("hashtags", "shown_tweets")
async def get_hashtag_tweets(
    tag: Annotated[
        str, Path(min_length=1, max_length=LONGEST_TAG, description="Without the #, in any case", examples=["world"])
    ],
    request: Request,
    viewer: Anyone,
    page: Paged,
    queries: Querying,
    readers: Reading,
) -> Response:
    """List the tweets with a hashtag, newest first."""
    of = f"hashtag {fold_tag(tag)}"
    found = await reading.by_hashtag(readers, account_of(viewer), tag, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)
