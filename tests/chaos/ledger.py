"""The acknowledged writes. All of them have to be served at the end, after any kills."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tweet:
    """A tweet whose posting was acknowledged."""

    id: str
    author: str
    text: str
    reply_to: str | None
    """The tweet replied to."""


@dataclass
class Ledger:
    """All acknowledged writes, by user name and tweet id, and all answers that were wrong."""

    accounts: set[str] = field(default_factory=set)
    tweets: dict[str, Tweet] = field(default_factory=dict)
    follows: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of follower and followee."""
    likes: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of account and liked tweet."""
    given_up: set[str] = field(default_factory=set)
    """Tweets whose deletion was requested. From then on they may be deleted."""
    deleted: set[str] = field(default_factory=set)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    """The newest Consistency-Token of each account's writes of a kind."""
    happened: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    _longest: float = 0.0

    def __post_init__(self) -> None:
        self._changed = asyncio.Condition()
        self._acknowledged = 0

    @property
    def live(self) -> dict[str, Tweet]:
        """Return the tweets that must exist."""
        return {id_: tweet for id_, tweet in self.tweets.items() if id_ not in self.given_up}

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged writes."""
        return self._acknowledged

    async def acknowledge(self, kind: str, seconds: float) -> None:
        """Record an acknowledged write and its duration, with all attempts."""
        self.happened[kind] += 1
        self._longest = max(self._longest, seconds)
        async with self._changed:
            self._acknowledged += 1
            self._changed.notify_all()

    async def more(self, number: int, within_s: float) -> None:
        """Wait until so many more writes are acknowledged."""
        wanted = self._acknowledged + number
        began = time.monotonic()
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: self._acknowledged >= wanted)
        except TimeoutError:
            missing = wanted - self._acknowledged
            self.violations.append(f"no {number} writes within {time.monotonic() - began:.0f} s: {missing} are missing")

    def longest(self) -> float:
        """Return the longest duration of a write, in seconds, since the last call."""
        longest, self._longest = self._longest, 0.0
        return longest

    def feed(self, viewer: str) -> list[str]:
        """Return the home feed by its definition, newest first."""
        circle = {viewer} | {followee for follower, followee in self.follows if follower == viewer}
        return [
            tweet.id
            for tweet in sorted(self.tweets.values(), key=lambda tweet: tweet.id, reverse=True)
            if tweet.author in circle
            and tweet.id not in self.deleted
            and (tweet.author == viewer or tweet.reply_to is None or self.tweets[tweet.reply_to].author in circle)
        ]
