"""Bugs of a query process that remembers, planted beside the others of `bugs`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from unittest.mock import patch

from events.engagement import RetweetUndone, TweetRetweeted
from events.event import Event
from events.graph import AccountFollowed, AccountUnfollowed
from events.ids import AccountId
from events.tweets import TweetPosted
from runtime.distributed.models import caches
from stores.cached.home_timelines import RememberedHomeTimelines
from stores.cached.remembered import Remembered
from stores.groups import HOME

from .bugs import bug


def untold(*events: type[Event]) -> Any:
    """Nobody says what these events make outdated."""
    names = {event: name for event, name in caches._KEYS[HOME].items() if event not in events}
    return patch.dict(caches._KEYS, {HOME: names})


@bug
def nobody_says_who_posted() -> Iterator[Any]:
    """Rows are what they were, whatever is delivered."""
    yield untold(TweetPosted)


@bug
def nobody_says_who_passed_something_on() -> Iterator[Any]:
    """The same, of retweets."""
    yield untold(TweetRetweeted)


@bug
def nobody_says_that_a_retweet_is_undone() -> Iterator[Any]:
    """It is taken to be there, once somebody has looked."""
    yield untold(RetweetUndone)


@bug
def nobody_says_who_follows_whom() -> Iterator[Any]:
    """Whom a viewer follows is what it was."""
    yield untold(AccountFollowed, AccountUnfollowed)


@bug
def rows_of_a_batch_that_is_under_way_are_kept() -> Iterator[Any]:
    """What is read while it changes is taken for what it is since."""

    def acted(self: RememberedHomeTimelines, accounts: Iterable[AccountId]) -> None:
        for account in accounts:
            self._acted[account] = self._now  # when it was heard, not later than what was asked for before
        self._now += 1

    yield patch.object(RememberedHomeTimelines, "acted", acted)


@bug
def viewer_that_is_being_asked_about_is_kept_whatever_changes() -> Iterator[Any]:
    """An answer from before a follow is remembered after it."""

    def forget(self: Remembered[Any, Any], ids: Iterable[Any]) -> None:
        for id_ in ids:
            self._let_go(id_)

    yield patch.object(Remembered, "forget", forget)
