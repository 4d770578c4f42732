"""A tweet in its conversation: what it answers, and the replies beneath it, nested. Everything is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from events.ids import AccountId, TweetId
from rest import resources
from stores.pages import Page
from stores.readers import Readers

from .hydration import Hydrated, hydrate
from .tweets import shown_tweet

MOST_ANCESTORS = 50
MOST_NESTED = 200
"""Replies to replies, at all depths together, that come with a page of direct replies."""
MOST_BENEATH_EACH = 10
DEEPEST = 10


class Reply(msgspec.Struct, frozen=True):
    """A reply and what hangs beneath it, oldest first.

    `tweet` is null where it was deleted or is hidden from you, and something beneath it is not. Beneath each there are
    up to 10, to a depth of 10, 200 in all; the tweet's `counts.replies` tells of more, and its own conversation has
    them.
    """

    tweet: resources.Tweet | None
    replies: list[Reply]


class Conversation(msgspec.Struct, frozen=True):
    """A tweet, what it answers (oldest first, the nearest 50), and a page of the replies to it, oldest first."""

    ancestors: list[resources.Tweet]
    tweet: resources.Tweet
    replies: list[Reply]
    next_cursor: str | None


async def conversation(
    readers: Readers, viewer: AccountId | None, tweet: TweetId, after: str | None, limit: int
) -> tuple[Conversation, str | None]:
    """The conversation as `viewer` sees it, and where its next page begins. Raises as `shown_tweet` does."""
    with readers.snapshot():
        shown = await shown_tweet(readers, viewer, tweet)
        ancestors = await readers.conversations.ancestors(tweet, MOST_ANCESTORS)
        direct = await readers.conversations.replies(tweet, after, limit)
        beneath = await _beneath(readers, direct)
        ids = {*ancestors, *direct.items, *(id_ for replies in beneath.values() for id_ in replies)}
        hydrated = await hydrate(readers, viewer, ids)
    ancestors.reverse()
    replies = _nested(direct.items, beneath, hydrated)
    return Conversation(hydrated.offered(ancestors), shown, replies, None), direct.next


async def _beneath(readers: Readers, direct: Page[TweetId]) -> dict[TweetId, list[TweetId]]:
    """Replies to replies, level by level, until there are no more or enough."""
    beneath: dict[TweetId, list[TweetId]] = {}
    level = direct.items
    left = MOST_NESTED
    for _ in range(DEEPEST):
        found = await readers.conversations.first_replies(level, min(MOST_BENEATH_EACH, left))
        level = []
        for parent, replies in found.items():
            beneath[parent] = replies[:left]
            level += beneath[parent]
            left -= len(beneath[parent])
        if not level or left <= 0:
            break
    return beneath


def _nested(ids: Iterable[TweetId], beneath: Mapping[TweetId, list[TweetId]], hydrated: Hydrated) -> list[Reply]:
    nested = []
    for id_ in ids:
        replies = _nested(beneath.get(id_, ()), beneath, hydrated)
        tweets = hydrated.offered((id_,))
        if tweets or replies:
            nested.append(Reply(tweets[0] if tweets else None, replies))
    return nested
