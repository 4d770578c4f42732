"""Search for tweets: from a parsed query to a page of results."""

from __future__ import annotations

from typing import NamedTuple

from events.ids import AccountId, Millis, TweetId, from_bytes, to_bytes
from rest import resources
from stores.pages import Page
from stores.readers import Readers
from stores.search import Phrase, Query
from stores.text import tokeniser

from .feeds import ListTweets, chosen, offered
from .search_query import ParsedQuery, QueryRefused
from .search_ranking import MOST_RANKED, rank


class SearchPlan(NamedTuple):
    """A query for the store. If it names an author (`by_name`), muted authors are shown."""

    query: Query
    by_name: bool


async def wanted(
    readers: Readers, parsed: ParsedQuery, since: Millis | None, until: Millis | None
) -> SearchPlan | None:
    """Look up the authors and return the query for the store; None if a required author does not exist.

    Raises QueryRefused if the query only excludes, or is empty.
    """
    if not parsed.every and not parsed.by:
        if parsed.none or parsed.not_by:
            raise QueryRefused("the search only excludes tweets: add a word, #tag, @name or from:name to find")
        raise QueryRefused("there is no word to search for")
    by = [await _author(readers, name) for name in parsed.by]
    not_by = [await _author(readers, name) for name in parsed.not_by]
    if None in by:
        return None
    every = (*parsed.every, *(phrase for phrase in by if phrase is not None))
    none = (*parsed.none, *(phrase for phrase in not_by if phrase is not None))
    return SearchPlan(Query(every, none, since, until), bool(by))


async def _author(readers: Readers, name: str) -> Phrase | None:
    user = await readers.users.named(name)
    return None if user is None else (tokeniser.author(user.id),)


async def newest(
    readers: Readers, viewer: AccountId | None, wanted: SearchPlan, before: str | None, limit: int
) -> Page[resources.Tweet]:
    """Return a page of results, newest first."""

    async def page(position: str | None, count: int) -> Page[TweetId]:
        found = await readers.search.newest(wanted.query, position, count)
        return Page([match.tweet for match in found.items], found.next)

    return await _shown(readers, viewer, wanted, page, before, limit)


async def best(
    readers: Readers, viewer: AccountId | None, wanted: SearchPlan, before: str | None, limit: int
) -> Page[resources.Tweet]:
    """Return a page of results, best first (search_ranking.py).

    A position has the newest tweet of the first page, and the score and id of the last tweet shown. Tweets that are
    posted meanwhile are left out, so no tweet is shown twice because of them.
    """
    first, _, last = (before or "").partition(" ")
    with readers.snapshot():
        found = await readers.search.newest(wanted.query, _past(first) if first else None, MOST_RANKED)
        if not found.items:
            return Page([], None)
        newest_ranked = TweetId(first) if first else found.items[0].tweet
        counts = await readers.counts.of_tweets([match.tweet for match in found.items])
        ranked = rank(found.items, wanted.query.every, counts, newest_ranked)

        async def page(position: str | None, count: int) -> Page[TweetId]:
            rest = ranked
            if position is not None:
                score, _, tweet = position.partition(" ")
                rest = [entry for entry in ranked if entry < (float(score), tweet)]
            items = rest[:count]
            more = f"{items[-1].score!r} {items[-1].tweet}" if rest[count:] else None
            return Page([entry.tweet for entry in items], more)

        shown = await _shown(readers, viewer, wanted, page, last or None, limit)
        return Page(shown.items, None if shown.next is None else f"{newest_ranked} {shown.next}")


def _past(tweet: str) -> str:
    """Return the lowest id greater than a tweet's."""
    return from_bytes((int.from_bytes(to_bytes(tweet), "big") + 1).to_bytes(16, "big"))


async def _shown(
    readers: Readers, viewer: AccountId | None, wanted: SearchPlan, page: ListTweets, before: str | None, limit: int
) -> Page[resources.Tweet]:
    show = chosen if wanted.by_name else offered
    return await show(readers, viewer, page, before, limit)
