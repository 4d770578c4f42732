"""Every read of the core read models is a limited range of an index: no scan and no sort, for any size of table."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import apsw
import pytest

from events.ids import AccountId, TweetId
from stores.readers import Readers
from tests.projections.projected import Projected

A, B = (AccountId(f"01977420-dc00-7002-8000-00000000000{n}") for n in (1, 2))
T = TweetId("01977420-dc00-7002-8000-000000000003")
KEY = "01977420-dc00-7002-8000-000000000004"

READS: dict[str, Callable[[Readers], Awaitable[object]]] = {
    "users.named": lambda r: r.users.named("ada"),
    "users.by_ids": lambda r: r.users.by_ids([A, B]),
    "users.cards": lambda r: r.users.cards([A, B]),
    "graph.relations": lambda r: r.graph.relations(A, [A, B]),
    "graph.unseen": lambda r: r.graph.unseen(A, [A, B]),
    "graph.followees": lambda r: r.graph.followees(A),
    "graph.followers": lambda r: r.graph.followers(A, KEY, 20),
    "graph.following": lambda r: r.graph.following(A, KEY, 20),
    "graph.blocks": lambda r: r.graph.blocks(A, KEY, 20),
    "graph.mutes": lambda r: r.graph.mutes(A, KEY, 20),
    "tweets.by_ids": lambda r: r.tweets.by_ids([T]),
    "shown_tweets.of one": lambda r: r.shown_tweets.of(A, [T]),
    "shown_tweets.of many": lambda r: r.shown_tweets.of(A, [T, TweetId(KEY)]),
    "counts.of_tweets": lambda r: r.counts.of_tweets([T]),
    "counts.of_accounts": lambda r: r.counts.of_accounts([A]),
    "engagement.marks": lambda r: r.engagement.marks(A, [T]),
    "engagement.likers": lambda r: r.engagement.likers(T, KEY, 20),
    "engagement.quotes": lambda r: r.engagement.quotes(T, KEY, 20),
    "engagement.likes": lambda r: r.engagement.likes(A, KEY, 20),
    "user_timelines.all": lambda r: r.user_timelines.all(A, KEY, 20),
    "user_timelines.without_replies": lambda r: r.user_timelines.without_replies(A, KEY, 20),
    "public_timeline.latest": lambda r: r.public_timeline.latest(KEY, 20),
    "conversations.ancestors": lambda r: r.conversations.ancestors(T, 20),
    "conversations.replies": lambda r: r.conversations.replies(T, KEY, 20),
    "conversations.first_replies": lambda r: r.conversations.first_replies([T], 20),
    "hashtags.tweets": lambda r: r.hashtags.tweets("one", KEY, 20),
    "sentiment.scores": lambda r: r.sentiment.scores([T]),
}
SORTED = {
    "home_feed.first": lambda r: r.home_feed.page(A, None, 20),
    "home_feed.further": lambda r: r.home_feed.page(A, KEY, 20),
    "tweets.history": lambda r: r.tweets.history(T),
}
"""Reads that sort a bounded number of rows."""
SCAN = re.compile(r"^SCAN \w+_\d+\b")


def plans(models: Projected, read: Callable[[Readers], Coroutine[Any, Any, object]]) -> list[str]:
    """Return SQLite's query plans of a read's statements, one line per step."""
    statements: list[tuple[str, apsw.Bindings | None]] = []

    def note(cursor: object, sql: str, bindings: apsw.Bindings | None) -> bool:
        statements.append((sql, bindings))
        return True

    connection = models.views.connection
    connection.exec_trace = note
    asyncio.run(read(models.readers))
    connection.exec_trace = None
    assert statements
    return [
        str(row[3]) for sql, bindings in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)
    ]


@pytest.fixture(scope="module")
def models() -> Projected:
    return Projected()


@pytest.mark.parametrize("name", [*READS, *SORTED])
def test_a_read_scans_no_table_and_sorts_no_list(models: Projected, name: str) -> None:
    steps = plans(models, (READS | SORTED)[name])

    assert [step for step in steps if SCAN.match(step)] == []
    assert name in SORTED or [step for step in steps if "TEMP B-TREE" in step] == []
