"""Reads from the log which accounts and tweets were imported before, so that an import can be continued.

It reads only unsealed fields, 2 us an event, and opens the texts of tweets that must be compared. It skips records that
cannot be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from events.ids import AccountId, Millis, id_at, is_id, millis, without_time
from events.tweets import TweetPosted


class KnownAccount(NamedTuple):
    """An account that exists."""

    id: AccountId
    imported: bool


class KnownTweet(NamedTuple):
    """An imported tweet; `text` is None if its author is erased."""

    author: AccountId
    at: Millis
    text: str | None


Fields = tuple[Millis, dict[str, Any]]
"""The time of an event, and its unsealed fields."""


class ImportedAccounts(NamedTuple):
    """The imported accounts, by number of imported tweets and then by name; and when the first one was written."""

    accounts: list[AccountId]
    first_tweet_at: Millis | None


class History(Protocol):
    """The accounts and imported tweets of a log."""

    async def known_accounts(self) -> dict[str, KnownAccount]:
        """Return all accounts by folded name; none if there is no log yet."""
        ...

    async def known_tweets(self, sources: Collection[str]) -> dict[str, KnownTweet]:
        """Return the imported ones of these tweets, by the id that they have at their source."""
        ...

    async def rank(self) -> ImportedAccounts:
        """Rank imported accounts by their imported tweets; later tweets do not count."""
        ...


def known(registered: Iterable[Fields]) -> dict[str, KnownAccount]:
    """Return the accounts of AccountRegistered events, by folded name."""
    return {
        fields["username"].lower(): KnownAccount(AccountId(fields["account"]), fields["imported"])
        for _, fields in registered
        if is_id(fields["account"])
    }


def by_tweet(sources: Iterable[str]) -> Mapping[str, str]:
    """Return sources by the part of their tweets' ids that does not depend on the time: another file may state another
    time.
    """
    return {without_time(id_at(Millis(0), "tweet", source)): source for source in sources}


def source_of(fields: Mapping[str, Any], sources: Mapping[str, str]) -> str | None:
    """Return the source (`by_tweet`) from which a TweetPosted event was imported."""
    return sources.get(without_time(fields["tweet"])) if fields.get("imported") else None


def known_tweet(event: TweetPosted | None, fields: Mapping[str, Any]) -> KnownTweet:
    """Return the tweet of a TweetPosted event. The event is None if its author is erased."""
    text = None if event is None else event.text
    return KnownTweet(AccountId(fields["author"]), millis(fields["tweet"]), text)


def ranking(registered: Iterable[Fields], posted: Iterable[Fields]) -> ImportedAccounts:
    """Rank the accounts of AccountRegistered and TweetPosted events."""
    names = {
        fields["account"]: fields["username"].lower()
        for _, fields in registered
        if fields["imported"] and is_id(fields["account"])
    }
    tweets: Counter[str] = Counter()
    first: Millis | None = None
    for time, fields in posted:
        if fields.get("imported"):
            tweets[fields["author"]] += 1
            first = time if first is None else min(first, time)
    ordered = sorted(names, key=lambda account: (-tweets[account], names[account]))
    return ImportedAccounts([AccountId(account) for account in ordered], first)
