"""The search for tweets finds the tweets that a naive search of all texts finds."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from events.entities import Entities
from events.event import Event
from events.ids import AccountId, HybridClock, Millis, TweetId, id_at, to_bytes
from events.tweets import TweetDeleted, TweetPosted
from query_api.search_query import MOST_REPEATED
from stores.search import Query
from stores.sqlite.search import home_row
from stores.text.tokeniser import author
from tests.projections.searched import PEOPLE, START, Index, edited, posted, tweet_id


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index()
    yield made
    made.close()


# A naive matcher over ASCII texts.

WORDS = ("a", "b", "cc", "#cc", "#x1", "@cc1", "@ada", "b-b", "C")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
TERMS = st.sampled_from((*WORDS, '"a b"', '"cc a"', "b.b", '"a cc b"', "#none"))
STEPS = st.lists(
    st.tuples(st.sampled_from(("post", "post", "post", "edit", "delete")), st.integers(0, 30), TEXTS), max_size=30
)


@dataclass
class Written:
    by: AccountId
    text: str

    def has(self, term: str) -> bool:
        """Return whether the naive search finds a term of a query in the tweet."""
        if term[0] in "#@":
            return term.lower() in re.findall(r"(?<!\w)[#@]\w+", self.text.lower())
        found = re.findall("[a-z0-9]+", self.text.lower())
        wanted = re.findall("[a-z0-9]+", term.lower())
        return any(found[i : i + len(wanted)] == wanted for i in range(len(found)))


@given(STEPS, st.lists(TERMS, min_size=1, max_size=3), st.lists(TERMS, max_size=2), st.data())
def test_a_search_finds_what_a_naive_reader_finds_newest_first(
    steps: list[tuple[str, int, str]], every: list[str], none: list[str], data: st.DataObject
) -> None:
    query = " ".join((*every, *(f"-{term}" for term in none)))
    assume(max(Counter(re.findall("[a-c]+", query.lower())).values(), default=0) <= MOST_REPEATED)
    index = Index()
    there: dict[TweetId, Written] = {}
    for action, n, text in steps:
        tweet = tweet_id(n)
        by = PEOPLE[n % 2]
        if action == "post" and tweet not in there:
            there[tweet] = Written(by, text)
            index.tell(posted(tweet, by, text))
        elif action == "edit" and tweet in there:
            there[tweet] = Written(by, text)
            index.tell(edited(tweet, by, text))
        elif action == "delete" and there.pop(tweet, False):
            index.tell(TweetDeleted(tweet=tweet, author=by))
    since, until = data.draw(st.none() | st.integers(-1, 7)), data.draw(st.none() | st.integers(-1, 7))

    found = index.find(
        query,
        data.draw(st.integers(1, 4)),
        None if since is None else START + since,
        None if until is None else START + until,
    )

    assert found == [
        tweet
        for tweet, written in sorted(there.items(), reverse=True)
        if all(map(written.has, every))
        and not any(map(written.has, none))
        and (since is None or int(tweet[:8] + tweet[9:13], 16) >= START + since)
        and (until is None or int(tweet[:8] + tweet[9:13], 16) < START + until)
    ]
    index.check()
    index.close()


@given(st.lists(st.integers(0, 30), unique=True), st.sets(st.integers(0, 30)), st.randoms(use_true_random=False))
def test_tweets_with_the_same_front_of_the_id_have_rows_that_do_not_depend_on_the_order_they_came_in(
    numbers: list[int], gone: set[int], chance: random.Random
) -> None:
    """Every deleted tweet was posted before; any other order is possible."""
    digests = set()
    for _ in range(3):
        index = Index()
        events: list[Event] = []
        for n in chance.sample(numbers, len(numbers)):
            tweet = tweet_id(n)
            events.append(posted(tweet, PEOPLE[0], f"w{n}"))
            if n in gone:
                deleted = TweetDeleted(tweet=tweet, author=PEOPLE[0])
                events.insert(chance.randint(len(events), len(events)), deleted)
        index.tell(*_shuffled(events, chance))
        index.check()
        digests.add(index.views.digest("search"))
        index.close()

    assert len(digests) == 1


def _shuffled(events: list[Event], chance: random.Random) -> list[Event]:
    """Return another order in which each tweet is posted before it is deleted."""
    keys = {id(event): chance.random() for event in events}
    first: dict[str, float] = {}
    for event in events:
        assert isinstance(event, (TweetPosted, TweetDeleted))
        low = first.setdefault(event.tweet, keys[id(event)])
        keys[id(event)] = max(low, keys[id(event)])
    return sorted(events, key=lambda event: (keys[id(event)], isinstance(event, TweetDeleted)))


def test_row_ids_sort_as_tweet_ids_do() -> None:
    clock = HybridClock(lambda: START, random.Random(2).randbytes)
    ids = [clock.issue() for _ in range(100)] + [id_at(Millis(START - n), str(n)) for n in range(100)]
    rows = [home_row(to_bytes(id_)) for id_ in sorted(ids)]

    assert rows == sorted(rows)
    assert len(set(rows)) == len(rows)


def test_an_author_is_a_term_of_the_index(index: Index) -> None:
    for n in range(4):
        index.tell(posted(tweet_id(n), PEOPLE[n % 2], "late"))
    by = Query((("late",), (author(PEOPLE[1]),)))

    assert [m.tweet for m in asyncio.run(index.tweets.newest(by, None, 9)).items] == [tweet_id(3), tweet_id(1)]


def test_accents_and_case_make_no_difference_and_any_part_of_japanese_is_found(index: Index) -> None:
    index.tell(posted(tweet_id(1), PEOPLE[0], "Café am Ring 東京タワー #Größe"))

    for text in ("CAFE", "京タ", "塔 -x", '"am ring"', "#GRÖSSE", "grosse"):
        assert index.find(text) == ([] if text.startswith("塔") else [tweet_id(1)])


def test_a_common_word_costs_no_more_than_the_page(index: Index) -> None:
    """The query plan: rows come from the index in order, bounded, and each is read by its row id."""
    plan = index.views.connection.execute(
        f"EXPLAIN QUERY PLAN {index.tweets._newest}", ('"a"', 1, 2, b"", b"", 3)
    ).fetchall()
    steps = [str(row[3]) for row in plan]

    assert len(steps) == 2
    assert steps[0].endswith("VIRTUAL TABLE INDEX 192:M1><")  # 64: ordered by row id, 128: descending
    assert steps[1] == "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)"


def test_the_digest_sees_what_is_in_the_index_itself(index: Index) -> None:
    index.tell(posted(tweet_id(1), PEOPLE[0], "late"))
    before = index.views.digest("search")
    name = index.views.names()["search_index"]
    row = home_row(to_bytes(tweet_id(1)))
    index.views.connection.execute(f"INSERT INTO {name}({name}, rowid, tokens) VALUES ('delete', ?, 'late')", (row,))

    assert index.views.digest("search") != before


def test_a_tweet_without_entities_is_no_obstacle(index: Index) -> None:
    tweet = tweet_id(1)
    index.tell(TweetPosted(tweet=tweet, author=PEOPLE[0], text="", entities=Entities(), conversation=tweet))

    assert asyncio.run(index.tweets.newest(Query(((author(PEOPLE[0]),),)), None, 9)).items[0].tweet == tweet
