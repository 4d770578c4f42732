"""What the log says of imported accounts: read from it beside its owner, so that an import can go on from it.

Only fields in the clear are looked at, 2 us an event; the texts of tweets that are to be compared are opened. What
cannot be read is passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from events.ids import AccountId, Millis, id_at, is_id, millis, without_time
from events.tweets import TweetPosted


class KnownAccount(NamedTuple):
    """An account that is there already."""

    id: AccountId
    imported: bool


class KnownTweet(NamedTuple):
    """A tweet that was imported already; `text` is None where its author is erased."""

    author: AccountId
    at: Millis
    text: str | None


Fields = tuple[Millis, dict[str, Any]]
"""When an event happened, and what it says in the clear."""


class ImportedAccounts(NamedTuple):
    """Imported accounts, most imported tweets first, ties by name; and when the first imported tweet was written."""

    accounts: list[AccountId]
    first_tweet_at: Millis | None


class History(Protocol):
    """What a log says of the accounts that there are."""

    async def known_accounts(self) -> dict[str, KnownAccount]:
        """All accounts by folded name; none where there is no log yet."""
        ...

    async def known_tweets(self, sources: Collection[str]) -> dict[str, KnownTweet]:
        """Those of the tweets that were imported, by the id that their source knows them by."""
        ...

    async def rank(self) -> ImportedAccounts:
        """Rank imported accounts by what was imported of them; what they did since does not count."""
        ...


def known(registered: Iterable[Fields]) -> dict[str, KnownAccount]:
    """The accounts of AccountRegistered events, by folded name."""
    return {
        fields["username"].lower(): KnownAccount(AccountId(fields["account"]), fields["imported"])
        for _, fields in registered
        if is_id(fields["account"])
    }


def by_tweet(sources: Iterable[str]) -> Mapping[str, str]:
    """Sources by the part of their tweets' ids that does not depend on the time, which another file may have."""
    return {without_time(id_at(Millis(0), "tweet", source)): source for source in sources}


def source_of(fields: Mapping[str, Any], sources: Mapping[str, str]) -> str | None:
    """Which of the sources (`by_tweet`) a TweetPosted event was imported from."""
    return sources.get(without_time(fields["tweet"])) if fields.get("imported") else None


def known_tweet(event: TweetPosted | None, fields: Mapping[str, Any]) -> KnownTweet:
    """The tweet of a TweetPosted event, which is None where its author is erased."""
    text = None if event is None else event.text
    return KnownTweet(AccountId(fields["author"]), millis(fields["tweet"]), text)


def ranking(registered: Iterable[Fields], posted: Iterable[Fields]) -> ImportedAccounts:
    """The ranking of AccountRegistered and TweetPosted events."""
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
