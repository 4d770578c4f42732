"""The port of the search of tweets: an index of the tokens that stores/text/tokeniser.py makes of them.

Every engine answers alike, since it is given the same tokens and asked only whether they are there. Newest first is
the order of the index, so a page costs what its own length costs, however common a word is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from events.ids import Millis, TweetId

from .pages import Page

Phrase = tuple[str, ...]
"""Tokens that stand one after the other: for most words one."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: tweets that have every one of `every` and not one of `none`, made from `since` to before
    `until`. `every` has at least one phrase."""

    every: tuple[Phrase, ...]
    none: tuple[Phrase, ...] = ()
    since: Millis | None = None
    until: Millis | None = None


class Match(NamedTuple):
    """A tweet that was found, and what is indexed of it, with spaces between: for those who rank."""

    tweet: TweetId
    tokens: str


class SearchRows(Protocol):
    """What the projector writes. `tokens` have spaces between them."""

    def posted(self, tweet: TweetId, tokens: str) -> None:
        """A tweet is there."""
        ...

    def edited(self, tweet: TweetId, tokens: str) -> None:
        """A tweet has other tokens from now on."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone."""
        ...


class Search(Protocol):
    """What the query API reads."""

    async def newest(self, query: Query, before: str | None, limit: int) -> Page[Match]:
        """The newest tweets that match, older than `before`, newest first."""
        ...
