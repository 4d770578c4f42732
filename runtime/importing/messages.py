"""The messages of an import: a batch of accounts, tweets and follows, and its result."""

from __future__ import annotations

import msgspec

from events.entities import Entities
from events.ids import AccountId, Millis
from events.tweets import Place


class NewAccount(msgspec.Struct, frozen=True, array_like=True):
    """An account to import, with the time of its registration."""

    account: AccountId
    username: str
    display_name: str
    at: Millis


class NewTweet(msgspec.Struct, frozen=True, array_like=True):
    """A tweet to import; `line` is its line in the file."""

    line: int
    author: AccountId
    source: str
    at: Millis
    text: str
    entities: Entities
    location: Place | None


class NewFollow(msgspec.Struct, frozen=True, array_like=True):
    """A follow to import."""

    follower: AccountId
    followee: AccountId
    at: Millis


class Import(msgspec.Struct, frozen=True, tag=True):
    """A batch of an import: accounts first, then tweets, then follows."""

    accounts: tuple[NewAccount, ...] = ()
    tweets: tuple[NewTweet, ...] = ()
    follows: tuple[NewFollow, ...] = ()


class Imported(msgspec.Struct, frozen=True, tag=True):
    """How many items of a batch were new, how many known, and which were refused: (line, reason)."""

    new: int
    there: int
    refused: tuple[tuple[int, str], ...]
