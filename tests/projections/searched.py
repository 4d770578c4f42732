"""The three searches on tables of their own: tests pass events in and search."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from command_api.text.entities import extract
from events.event import Envelope, Event
from events.ids import AccountId, EventId, HybridClock, Millis, TweetId, id_at
from events.tweets import TweetEdited, TweetPosted
from projectors.hashtag_search import HashtagSearch
from projectors.search import Search
from projectors.user_search import UserSearch
from projectors.users import Users
from query_api.search_query import parse
from stores.hashtag_search import TagUse
from stores.pages import Page
from stores.search import Query
from stores.sqlite.hashtag_search import HASHTAG_SEARCH, SqliteHashtagSearch, SqliteHashtagSearchRows
from stores.sqlite.search import SEARCH, SqliteSearch, SqliteSearchRows
from stores.sqlite.user_search import USER_SEARCH, SqliteUserSearch, SqliteUserSearchRows
from stores.sqlite.users import USERS, SqliteUserRows
from stores.sqlite.views import Views

START = Millis(1_750_000_000_000)
T = TypeVar("T")
PEOPLE = tuple(AccountId(id_at(START, "account", str(n))) for n in range(2))


def paged(find: Callable[[str | None, int], Awaitable[Page[T]]], limit: int) -> list[T]:
    """Return all items of a list, read page by page."""

    async def pages() -> list[T]:
        items: list[T] = []
        position = None
        while True:
            page = await find(position, limit)
            items += page.items
            position = page.next
            if position is None:
                return items

    return asyncio.run(pages())


@dataclass
class Index:
    """The three searches on tables of their own."""

    views: Views = field(default_factory=lambda: Views(Path(":memory:"), [SEARCH, USER_SEARCH, HASHTAG_SEARCH, USERS]))

    def __post_init__(self) -> None:
        connection, names = self.views.connection, self.views.names()
        self.projectors = (
            Search(SqliteSearchRows(connection, names)),
            UserSearch(SqliteUserSearchRows(connection, names)),
            HashtagSearch(SqliteHashtagSearchRows(connection, names)),
            Users(SqliteUserRows(connection, names)),
        )
        self.tweets = SqliteSearch(connection, names)
        self.users = SqliteUserSearch(connection, names)
        self.hashtags = SqliteHashtagSearch(connection, names)
        self.ids = HybridClock(lambda: START, random.Random(1).randbytes)

    def tell(self, *events: Event) -> None:
        for event in events:
            about = Envelope(EventId(self.ids.issue()), START)
            for projector in self.projectors:
                projector.handle(event, about)

    def find(self, text: str, limit: int = 3, since: int | None = None, until: int | None = None) -> list[TweetId]:
        parsed = parse(text)
        wanted = Query(
            tuple(parsed.every),
            tuple(parsed.none),
            None if since is None else Millis(since),
            None if until is None else Millis(until),
        )
        return [match.tweet for match in paged(lambda b, n: self.tweets.newest(wanted, b, n), limit)]

    def find_users(self, name: str, limit: int = 2) -> list[AccountId]:
        return paged(lambda b, n: self.users.find(name, b, n), limit)

    def find_tags(self, tag: str, limit: int = 2) -> list[TagUse]:
        return paged(lambda b, n: self.hashtags.find(tag, b, n), limit)

    def check(self) -> None:
        """Make SQLite compare its index with the rows."""
        name = self.views.names()["search_index"]
        self.views.connection.execute(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 1)")

    def close(self) -> None:
        self.views.connection.close()


def posted(tweet: TweetId, by: AccountId, text: str) -> TweetPosted:
    return TweetPosted(tweet=tweet, author=by, text=text, entities=extract(text), conversation=tweet)


def edited(tweet: TweetId, by: AccountId, text: str) -> TweetEdited:
    return TweetEdited(tweet=tweet, author=by, version=2, text=text, entities=extract(text))


def tweet_id(n: int) -> TweetId:
    """Return ids with few times and few prefixes, so that some tweets collide."""
    return TweetId(f"{id_at(Millis(START + n // 5), 'one')[:-2]}{n:02x}")
