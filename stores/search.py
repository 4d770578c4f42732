"""The port of the search of tweets: an index of the tokens from stores/text/tokeniser.py.

All engines give the same answers: they store the same tokens and only test for their presence. The index is ordered
newest first, so the cost of a page depends on its length, not on how common a word is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from events.ids import Millis, TweetId

from .pages import Page

Phrase = tuple[str, ...]
"""Tokens that stand one after the other. Most words are a single token."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search: tweets that have all phrases of `every` and none of `none`, posted from `since` to before `until`.

    `every` has at least one phrase.
    """

    every: tuple[Phrase, ...]
    none: tuple[Phrase, ...] = ()
    since: Millis | None = None
    until: Millis | None = None


class Match(NamedTuple):
    """A tweet that was found, and its indexed tokens with spaces between, for ranking."""

    tweet: TweetId
    tokens: str


class SearchRows(Protocol):
    """Rows that the projector writes. `tokens` are separated by spaces."""

    def posted(self, tweet: TweetId, tokens: str) -> None:
        """Add a tweet with its tokens."""
        ...

    def edited(self, tweet: TweetId, tokens: str) -> None:
        """Replace the tokens of a tweet."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        ...


class Search(Protocol):
    """Reads for the query API."""

    async def newest(self, query: Query, before: str | None, limit: int) -> Page[Match]:
        """Return a page of the newest matches older than `before`, newest first."""
        ...
