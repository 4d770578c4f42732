"""A tweet in its conversation: its ancestors, and the replies below it, nested. All sizes are bounded."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from events.ids import AccountId, TweetId
from rest import resources
from stores.readers import Readers

from .hydration import hydrate
from .tweets import shown_tweet

MOST_ANCESTORS = 50
MOST_NESTED = 200
"""The number of nested replies on a page, at all depths together, besides the direct replies."""
MOST_BENEATH_EACH = 10
DEEPEST = 10
READ_ON = 50
"""Replies per further read, when the replies of the first read are not shown."""
MOST_READINGS_ON = 40
"""Further reads per page; each takes 0.1 ms on SQLite and 2 ms on Cassandra."""


class Reply(msgspec.Struct, frozen=True):
    """A reply with the replies to it, oldest first.

    `tweet` is null if the tweet was deleted or is hidden from you and a reply below it is not: a gap. Below a tweet
    there are up to 10 replies; its `counts.replies` shows if there are more, and its own conversation lists them. A gap
    has no conversation of its own, so all of its replies are here. The depth is 10 at most, and a page nests 200
    replies at most.
    """

    tweet: resources.Tweet | None
    """The reply; null for a gap."""
    replies: list[Reply]
    """The replies to it, oldest first."""


class Conversation(msgspec.Struct, frozen=True):
    """A tweet, its ancestors (the nearest 50, oldest first), and a page of the replies to it, oldest first."""

    ancestors: list[resources.Tweet]
    """The tweets above it in the conversation: the nearest 50, oldest first."""
    tweet: resources.Tweet
    """The tweet."""
    replies: list[Reply]
    """A page of the replies to it, oldest first."""
    next_cursor: str | None
    """Send it as `cursor` to get the next page; null on the last page."""


async def conversation(
    readers: Readers, viewer: AccountId | None, tweet: TweetId, after: str | None, limit: int
) -> tuple[Conversation, str | None]:
    """Return the conversation as `viewer` sees it, and the position of its next page.

    Raises the errors of `shown_tweet`.
    """
    with readers.snapshot():
        shown = await shown_tweet(readers, viewer, tweet)
        ancestors = await readers.conversations.ancestors(tweet, MOST_ANCESTORS)
        direct = await readers.conversations.replies(tweet, after, limit)
        above = await hydrate(readers, viewer, ancestors)
        nesting = _Nesting(readers, viewer)
        await nesting.read(direct.items)
    ancestors.reverse()
    return Conversation(above.offered(ancestors), shown, nesting.nested(direct.items), None), direct.next


class _Nesting:
    """Reads the replies below the direct replies of a page, as `viewer` sees them."""

    def __init__(self, readers: Readers, viewer: AccountId | None) -> None:
        self._readers = readers
        self._viewer = viewer
        self._shown: dict[TweetId, resources.Tweet] = {}
        self._beneath: dict[TweetId, list[TweetId]] = {}
        self._left = MOST_NESTED
        self._readings = MOST_READINGS_ON

    async def read(self, direct: list[TweetId]) -> None:
        """Read level by level, until there are no more replies or a bound is reached."""
        await self._look_at(direct)
        level = direct
        for _ in range(DEEPEST):
            firsts = await self._readers.conversations.first_replies(level, MOST_BENEATH_EACH)
            await self._look_at([reply for replies in firsts.values() for reply in replies])
            level = []
            for parent, replies in firsts.items():
                if len(replies) == MOST_BENEATH_EACH or any(reply not in self._shown for reply in replies):
                    await self._read_on(parent, replies)
                self._beneath[parent] = self._first(replies, self._most_beneath(parent))
                level += self._beneath[parent]
            if not level or self._left <= 0:
                break

    async def _look_at(self, replies: list[TweetId]) -> None:
        hydrated = await hydrate(self._readers, self._viewer, replies)
        self._shown.update((TweetId(tweet.id), tweet) for tweet in hydrated.offered(replies))

    def _most_beneath(self, parent: TweetId) -> int:
        return min(MOST_BENEATH_EACH if parent in self._shown else MOST_NESTED, self._left)

    async def _read_on(self, parent: TweetId, replies: list[TweetId]) -> None:
        """Add further replies to the first ones until enough of them are shown."""
        after: str | None = replies[-1]
        missing = self._most_beneath(parent) - sum(reply in self._shown for reply in replies)
        while missing > 0 and after is not None and self._readings > 0:
            self._readings -= 1
            page = await self._readers.conversations.replies(parent, after, READ_ON)
            await self._look_at(page.items)
            replies += page.items
            missing -= sum(reply in self._shown for reply in page.items)
            after = page.next

    def _first(self, replies: list[TweetId], most: int) -> list[TweetId]:
        """Return the replies up to the last shown one. Hidden replies stay: they may be gaps."""
        kept = []
        for reply in replies:
            if reply in self._shown:
                if most <= 0:
                    break
                most -= 1
                self._left -= 1
            kept.append(reply)
        return kept

    def nested(self, replies: Iterable[TweetId]) -> list[Reply]:
        """Return the replies with all replies below them. A hidden reply without shown replies below it is left out."""
        found = []
        for reply in replies:
            tweet, beneath = self._shown.get(reply), self.nested(self._beneath.get(reply, ()))
            if tweet is not None or beneath:
                found.append(Reply(tweet, beneath))
        return found
