"""A town for measurements: authors with a hundred followers each, written through the command store.

Readers follow some of the authors. A watcher is one of the hundred followers and follows nobody else, so that no other
tweet pushes the awaited one off its first page.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple, TypeVar

from command_api.deciding import Context
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.text.entities import extract
from command_api.tokens import AccessTokens
from events.ids import AccountId, SessionId, TweetId
from events.log import Positions
from runtime.command_answers import WhetherNew
from runtime.distributed.command_store import DistributedCommandStore
from runtime.distributed.consistency.position_sources import sources
from runtime.distributed.engines import Engines
from runtime.distributed.settings import DecisionSettings, DistributedSettings

from ..community import AT_ONCE, Community
from .installation import PARTITIONS, Installation

FOLLOWERS = 100
_CURRENT_S = 300.0

T = TypeVar("T")


class Size(NamedTuple):
    """The numbers of accounts. There are at least FOLLOWERS readers."""

    authors: int = 100
    readers: int = 400
    tweets: int = 2000


class Town:
    """The accounts, and their access tokens."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.authors: list[AccountId] = []
        self.watchers: list[AccountId] = []
        """One for each author, in the same order."""
        self.readers: list[AccountId] = []
        self.tokens: dict[AccountId, str] = {}

    async def fill(self, size: Size) -> None:
        """Create the accounts, follows and tweets."""
        settings = DecisionSettings.of(self.installation.settings)
        async with DistributedCommandStore.open(settings) as command_store:
            make = command_store.ids.issue
            self.authors = [AccountId(make()) for _ in range(size.authors)]
            self.watchers = [AccountId(make()) for _ in range(size.authors)]
            self.readers = [AccountId(make()) for _ in range(size.readers)]
            everybody = [*self.authors, *self.watchers, *self.readers]
            await _each(enumerate(everybody), lambda one: self._come(command_store, *one))
            self._issue_tokens(command_store, everybody)
            await _each(self._follows(), lambda pair: self._follow(command_store, *pair))
            texts = Community(Path())
            await _each(
                ((self.authors[n % size.authors], texts.text()) for n in range(size.tweets)),
                lambda tweet: self._post(command_store, *tweet),
            )

    def _follows(self) -> Iterable[tuple[AccountId, AccountId]]:
        chance = random.Random(1)  # noqa: S311  # a benchmark has to do the same each time
        for author, watcher in zip(self.authors, self.watchers, strict=True):
            yield watcher, author
            for reader in chance.sample(self.readers, FOLLOWERS - 1):
                yield reader, author

    def _issue_tokens(self, command_store: DistributedCommandStore, accounts: Iterable[AccountId]) -> None:
        lifetime_ms = command_store.authentication.token_lifetime_ms
        issuer = command_store.settings.issuer
        access = AccessTokens(
            command_store.authentication.signing_keys,
            command_store.authentication.roles,
            command_store.clock,
            issuer=issuer,
            lifetime_ms=lifetime_ms,
        )
        self.tokens = {account: access.issue(account, SessionId(command_store.ids.issue())) for account in accounts}

    async def _come(self, command_store: DistributedCommandStore, number: int, account: AccountId) -> None:
        name = f"user_{number}"
        await command_store.store.execute(IMPORT_ACCOUNT, ImportAccount(account, name, name), Context(), WhetherNew())

    async def _follow(self, command_store: DistributedCommandStore, a: AccountId, b: AccountId) -> None:
        await command_store.store.execute(FOLLOW_ACCOUNT, FollowAccount(a, b), Context(actor=a), WhetherNew())

    async def _post(self, command_store: DistributedCommandStore, author: AccountId, text: str) -> None:
        command = PostTweet(author, TweetId(command_store.ids.issue()), text, extract(text))
        await command_store.store.execute(POST_TWEET, command, Context(actor=author), WhetherNew())

    async def until_current(self) -> float:
        """Wait until every read model has applied the log; return the seconds. Raises TimeoutError."""
        async with AsyncExitStack() as stack:
            engines = await stack.enter_async_context(Engines.open(DistributedSettings.of(self.installation.settings)))
            groups = sources(engines.cassandra, engines.redis, self.installation.generations, PARTITIONS)
            for source in groups.values():
                stack.push_async_callback(source.close)
            started = time.perf_counter()
            ends = await engines.log.ends()
            async with asyncio.timeout(_CURRENT_S):
                for source in groups.values():
                    wanted = Positions((place, end) for place, end in ends.items() if place.topic in source.topics)
                    while not (await source.positions())[0].covers(wanted):  # noqa: ASYNC110  another process does it
                        await asyncio.sleep(0.05)
            return time.perf_counter() - started


async def _each(items: Iterable[T], do: Callable[[T], Awaitable[object]]) -> None:
    todo = iter(items)

    async def work() -> None:
        for item in todo:
            await do(item)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
