"""Executes imports beside the API, in small batches, and gives way to requests.

A batch takes 3 ms of the event loop. If requests were answered meanwhile, the import then pauses for twice that time.
So no request waits for more than one batch, and an idle server imports at full speed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from command_api.deciding import CommandStore, Context, Decision, Refused
from command_api.domain.errors import AccountNotFound
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.import_follow import IMPORT_FOLLOW, ImportFollow
from command_api.domain.import_tweet import IMPORT_TWEET, ImportTweet
from runtime.command_answers import NEW, WhetherNew
from runtime.importing.messages import Import, Imported

TURN_S = 0.003
GIVE_WAY = 2.0

Item = tuple[int, tuple[Decision[Any, Any], Any, Context]]
"""The line in the file (0 if there is none), and the command."""


class Importer:
    """Executes batches. `requests` returns the number of API requests; if it grows, the import pauses."""

    def __init__(self, store: CommandStore, requests: Callable[[], int], timer: Callable[[], float]) -> None:
        self._store = store
        self._requests = requests
        self._timer = timer

    async def execute(self, batch: Import) -> Imported:
        """Execute a batch. Raises LogUnavailable; earlier commands of it took effect and count as known next time."""
        new = there = 0
        refused: list[tuple[int, str]] = []
        items = list(_items(batch))
        while items:
            requests, until = self._requests(), 0.0

            def in_time() -> bool:
                nonlocal until  # counted from the start of the work, not from its queueing
                until = until or self._timer() + TURN_S
                return self._timer() < until

            outcomes = await self._store.execute_some([command for _, command in items], WhetherNew(), in_time)
            for (line, _), outcome in zip(items, outcomes, strict=False):
                if isinstance(outcome, Refused):
                    refused.append((line, _reason(outcome)))
                elif outcome.answer is NEW:
                    new += 1
                else:
                    there += 1
            del items[: len(outcomes)]
            await asyncio.sleep(GIVE_WAY * TURN_S if self._requests() != requests else 0)
        return Imported(new, there, tuple(refused))


def _items(batch: Import) -> Iterator[Item]:
    for account in batch.accounts:
        begin = ImportAccount(account.account, account.username, account.display_name)
        yield 0, (IMPORT_ACCOUNT, begin, Context(actor=account.account, causation="import", time=account.at))
    for tweet in batch.tweets:
        post = ImportTweet(tweet.author, tweet.source, tweet.at, tweet.text, tweet.entities, tweet.location)
        yield tweet.line, (IMPORT_TWEET, post, Context(actor=tweet.author, causation="import", time=tweet.at))
    for follow in batch.follows:
        begin_following = ImportFollow(follow.follower, follow.followee)
        context = Context(actor=follow.follower, causation="import", time=follow.at)
        yield 0, (IMPORT_FOLLOW, begin_following, context)


def _reason(refusal: Refused) -> str:
    if isinstance(refusal, AccountNotFound):
        return "its author has no imported account here"
    return str(refusal)
