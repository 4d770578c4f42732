"""Search: GET /search/tweets, /search/users and /search/hashtags."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Annotated, Literal

import msgspec
from fastapi import Query, Request, Response

from rest import resources
from rest.openapi import answers
from rest.problems import invalid
from rest.routing import A_TIME, Anyone, Page, Paged, page_response, router

from .. import people, searching
from ..search_query import QueryRefused, parse
from ..serving import PEOPLE, Querying, Reading, account_of, reads
from ..tags import as_written
from ..time_series import time_of

search = router("Search")

LONGEST = 500
LONGEST_NAME = 50


class FoundTag(msgspec.Struct, frozen=True):
    """A hashtag in its most used spelling, and the number of tweets with it in any spelling."""

    tag: str
    """The tag in its most used spelling."""
    tweets_count: int
    """The number of tweets with it."""


def _list(*asked: str | None) -> str:
    """Return a short name of the list for its cursors. The parameters themselves may be too long for a header or an
    address.
    """
    return f"search {hashlib.blake2b(repr(asked).encode(), digest_size=12).hexdigest()}"


Words = Annotated[
    str,
    Query(
        max_length=LONGEST, description='Words, "phrases", -not, #tags, @names, from:name', examples=["#delay -united"]
    ),
]
Name = Annotated[
    str, Query(min_length=1, max_length=LONGEST_NAME, description="The beginning of the name, or nearly all of it")
]


@search.get("/search/tweets", response_model=None)
@answers(Page[resources.Tweet])
@reads("search", "users", "counts", "shown_tweets")
async def search_tweets(
    request: Request,
    viewer: Anyone,
    page: Paged,
    queries: Querying,
    readers: Reading,
    q: Words = "",
    since: Annotated[
        str | None, Query(description="Written at this time or later", max_length=40, json_schema_extra=A_TIME)
    ] = None,
    until: Annotated[
        str | None, Query(description="Written before this time", max_length=40, json_schema_extra=A_TIME)
    ] = None,
    by: Annotated[str | None, Query(alias="from", description="By the account with this name", max_length=40)] = None,
    sort: Annotated[Literal["newest", "best"], Query(description="`best` ranks the newest 1,000")] = "newest",
) -> Response:
    """Search for tweets with all the words, newest or best first.

    `"two words"` finds the words one after the other, `-word` excludes tweets with the word. `#tag`, `@name` and
    `from:name` find hashtags, mentions and authors. Case and accents make no difference, nor do spaces in scripts that
    have none.
    """
    of = _list("tweets", sort, since, until, by, q)
    after = page.after(queries.cursors, of)
    start = None if since is None else time_of("since", since)
    end = None if until is None else time_of("until", until)
    try:
        parsed = parse(q)
        if by is not None:
            parsed.by.append(by.removeprefix("@"))
        wanted = await searching.wanted(readers, parsed, start, end)
    except QueryRefused as error:
        raise invalid("q", "nothing_to_find", str(error)) from error
    if wanted is None:
        return page_response(request, [], queries.cursors, of, None)
    read = searching.newest if sort == "newest" else searching.best
    found = await read(readers, account_of(viewer), wanted, after, page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@search.get("/search/users", response_model=None)
@answers(Page[resources.User])
@reads("user_search", *PEOPLE)
async def search_users(
    request: Request, viewer: Anyone, page: Paged, queries: Querying, readers: Reading, q: Name
) -> Response:
    """Search for accounts by name, best match first.

    Names that begin with the text come first, then similar names.
    """
    of = _list("users", q)
    fetch = partial(readers.user_search.find, q)
    found = await people.listed(readers, account_of(viewer), fetch, page.after(queries.cursors, of), page.limit)
    return page_response(request, found.items, queries.cursors, of, found.next)


@search.get("/search/hashtags", response_model=None)
@answers(Page[FoundTag])
@reads("hashtag_search", "trends", "hashtags", "tweets")
async def search_hashtags(request: Request, page: Paged, queries: Querying, readers: Reading, q: Name) -> Response:
    """Search for hashtags, best match first.

    Tags that begin with the text come first, the most used of them first, then similar tags.
    """
    of = _list("hashtags", q)
    with readers.snapshot():
        found = await readers.hashtag_search.find(q, page.after(queries.cursors, of), page.limit)
        written = await as_written(readers, [use.tag for use in found.items])
    items = [FoundTag(written[use.tag], use.uses) for use in found.items]
    return page_response(request, items, queries.cursors, of, found.next)
