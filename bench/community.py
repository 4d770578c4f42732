"""A seeded community for benchmarks: accounts with tokens, follows, tweets, likes, written through the
command store.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from command_api.deciding import Context
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.like_tweet import LIKE_TWEET, LikeTweet
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.domain.retweet_tweet import RETWEET_TWEET, RetweetTweet
from command_api.text.entities import extract
from command_api.tokens import AccessTokens
from events.ids import AccountId, ActivityId, SessionId, TweetId
from runtime.command_answers import WhetherNew
from runtime.embedded.system import System
from runtime.settings import Settings

AT_ONCE = 200
"""The number of concurrent commands: they share commits."""

_OPENINGS = (
    "I love",
    "I hate",
    "So happy about",
    "Not sure about",
    "Waiting for",
    "Great news on",
    "Terrible",
    "Again",
)
_THINGS = (
    "coffee",
    "the weather",
    "my flight",
    "this song",
    "Monday",
    "the train",
    "the game",
    "python",
    "lunch",
    "rain",
)
_ENDS = ("today", "again!", "and that is it.", "how about you?", ":)", "what a day", "in the city", "with friends")
_TAGS = ("news", "music", "python", "travel", "food", "sports", "art", "science", "monday", "weather")


class Community:
    """The accounts and tweets of a data directory that a benchmark filled."""

    def __init__(self, directory: Path, seed: int = 1) -> None:
        self.directory = directory
        self.random = random.Random(seed)  # noqa: S311  # a benchmark has to do the same each time
        self.accounts: list[AccountId] = []
        self.tweets: list[TweetId] = []
        self.tokens: list[str] = []
        self.followed: list[str] = []
        """The tokens of the accounts that the first reader follows."""

    async def fill(
        self,
        *,
        accounts: int,
        followees: Sequence[int] = (),
        tweets: int = 0,
        likes: int = 0,
        retweets: int = 0,
        follows: int = 0,
    ) -> None:
        """Fill a new directory. `followees` has the number of accounts that each of the first accounts follows."""
        self.directory.mkdir(parents=True, exist_ok=True)
        system = System(Settings(data=self.directory))
        try:
            self.accounts = [AccountId(system.ids.issue()) for _ in range(accounts)]
            names = [f"user_{number}" for number in range(accounts)]
            await self._all(
                lambda i: system.commands.execute(
                    IMPORT_ACCOUNT, ImportAccount(self.accounts[i], names[i], names[i]), Context(), WhetherNew()
                ),
                range(accounts),
            )
            self._issue_tokens(system)
            pairs = {(r, f) for r, n in enumerate(followees) for f in self.random.sample(range(accounts), n) if f != r}
            self.followed = [self.tokens[b] for a, b in sorted(pairs) if a == 0]
            while len(pairs) < follows:
                a, b = self.random.sample(range(accounts), 2)
                pairs.add((a, b))
            await self._all(lambda pair: self._follow(system, *pair), sorted(pairs))
            await self._all(lambda i: self._post(system, i), range(tweets))
            await self._all(lambda _: self._like(system), range(likes))
            await self._all(lambda _: self._retweet(system), range(retweets))
        finally:
            await system.close()

    def _issue_tokens(self, system: System) -> None:
        settings = system.settings
        access = AccessTokens(
            system.signing_keys, system.roles, system.clock, issuer=settings.issuer, lifetime_ms=60 * 60_000
        )
        self.tokens = [access.issue(account, SessionId(system.ids.issue())) for account in self.accounts]

    async def _all(self, do: Callable[[Any], Awaitable[object]], items: Iterable[Any]) -> None:
        todo = iter(items)

        async def work() -> None:
            for item in todo:
                await do(item)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def _follow(self, system: System, a: int, b: int) -> None:
        command = FollowAccount(self.accounts[a], self.accounts[b])
        await system.commands.execute(FOLLOW_ACCOUNT, command, Context(actor=command.actor), WhetherNew())

    async def _post(self, system: System, number: int) -> None:
        actor = self.accounts[number % len(self.accounts)]
        text = self.text()
        tweet = TweetId(system.ids.issue())
        command = PostTweet(actor, tweet, text, extract(text))
        await system.commands.execute(POST_TWEET, command, Context(actor=actor), WhetherNew())
        self.tweets.append(tweet)

    async def _like(self, system: System) -> None:
        command = LikeTweet(self.random.choice(self.accounts), self.random.choice(self.tweets))
        await system.commands.execute(LIKE_TWEET, command, Context(actor=command.actor), WhetherNew())

    async def _retweet(self, system: System) -> None:
        command = RetweetTweet(
            self.random.choice(self.accounts), self.random.choice(self.tweets), ActivityId(system.ids.issue())
        )
        await system.commands.execute(RETWEET_TWEET, command, Context(actor=command.actor), WhetherNew())

    def text(self) -> str:
        """Return a tweet of about 60 characters; every second one has a hashtag."""
        pick = self.random.choice
        tag = f" #{pick(_TAGS)}" if self.random.random() < 0.5 else ""
        return f"{pick(_OPENINGS)} {pick(_THINGS)} {pick(_ENDS)} {self.random.randrange(100_000)}{tag}"


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    """Write a file for a load script."""
    path.write_text("\n".join(lines) + "\n")
    return path
