"""Search on PostgreSQL gives the same pages as on SQLite, for random histories, redeliveries and batches."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from events.accounts import AccountRegistered, Profile, ProfileChanged
from events.entities import Entities
from events.event import Event
from events.ids import AccountId, Millis, TweetId, account_number, id_at
from events.log import Record
from events.postgres.connections import Values
from events.tweets import TweetDeleted, TweetPosted
from query_api.search_query import MOST_REPEATED, parse
from stores.pages import Page
from stores.postgres import search as postgres_search
from stores.postgres import user_search as postgres_user_search
from stores.postgres.database import Database
from stores.search import Match, Query
from stores.text import tokeniser
from stores.text.trigrams import name_key, trigrams
from tests.examples import at_most
from tests.histories import batched, interleaved, redelivered
from tests.projections.searched import PEOPLE, START, edited, posted, tweet_id
from tests.stores.on_postgres import (
    OnPostgres,
    OnSqlite,
    Searches,
    Told,
    a_schema,
    apply,
    digests,
    emptied,
    pages,
)

SEARCHES = ["search", "user_search", "hashtag_search"]
pytestmark = pytest.mark.engines

WORDS = ("a", "b", "cc", "b-b", "C", "Größe", "東京", "é", "😀", "@cc1", "@ada")
TAGS = ("#cc", "#x1", "#são", "#sao", "#delay", "#delays", "#decay", "#dolay")
TEXTS = st.lists(st.sampled_from((*WORDS, *TAGS)), max_size=6).map(" ".join)
TERMS = st.sampled_from((*WORDS, *TAGS, '"a b"', '"cc a"', "b.b", '"a cc b"', "#none", "京", '"東京 a"'))
NAMES = st.lists(st.sampled_from(("ada", "adam", "lovelace", "love", "b", "é", "東京", "a_d")), max_size=3).map(
    " ".join
)
_STEP = st.tuples(
    st.sampled_from(("post", "post", "post", "edit", "delete", "rename", "rename")), st.integers(0, 15), TEXTS, NAMES
)
# Left to itself, hypothesis makes short lists.
STEPS = st.sampled_from((0, 20, 40)).flatmap(lambda least: st.lists(_STEP, min_size=least, max_size=40))
ASKED = ("a", "@ada", "ad", "adaa", "lovelyce", "love", "user_1", "cc", "são", "delai", "dela", "x", "東", "#", "b e")
"""Names to search for, of accounts and of hashtags: prefixes, some with a wrong letter, and one without a match."""
USERNAMES = ("user_1", "ada_l", "Lovelace", "sao_1", "cdx2", "ada")
SEEDS = st.integers(0, 2**32).map(random.Random)


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[Database]:
    with a_schema(postgres) as made:
        yield made


@pytest.fixture
async def index(database: Database) -> AsyncIterator[OnPostgres]:
    async with emptied(database) as made:
        yield made


def history(steps: Sequence[tuple[str, int, str, str]]) -> list[Record]:
    """Two authors who post, edit, delete and rename themselves. Steps that are not possible are skipped."""
    told = Told()
    told.tell(*(registered(n, username, "Ada Lovelace") for n, username in enumerate(USERNAMES)))
    there: set[int] = set()
    events: list[Event] = []
    for action, n, text, name in steps:
        by = PEOPLE[n % 2]
        if action == "post" and n not in there:
            there.add(n)
            events.append(posted(tweet_id(n), by, text))
        elif action == "edit" and n in there:
            events.append(edited(tweet_id(n), by, text))
        elif action == "delete" and n in there:
            there.remove(n)
            events.append(TweetDeleted(tweet=tweet_id(n), author=by))
        elif action == "rename":
            events.append(ProfileChanged(account=account(n % len(USERNAMES)), profile=Profile(display_name=name)))
    told.tell(*_each_posted_once(events))
    return told.records


def _each_posted_once(events: Sequence[Event]) -> Iterator[Event]:
    """Leave out events of tweets that were deleted before: a deleted tweet never comes back."""
    gone: set[str] = set()
    for event in events:
        tweet = getattr(event, "tweet", None)
        if tweet not in gone:
            yield event
        if isinstance(event, TweetDeleted):
            gone.add(event.tweet)


def account(n: int) -> AccountId:
    return AccountId(id_at(START, "account", str(n)))


def registered(n: int, username: str, display_name: str) -> AccountRegistered:
    return AccountRegistered(account=account(n), username=username, display_name=display_name)


def query(every: Sequence[str], none: Sequence[str], since: int | None = None, until: int | None = None) -> Query:
    parsed = parse(" ".join((*every, *(f"-{term}" for term in none))))
    return Query(
        tuple(parsed.every),
        tuple(parsed.none),
        None if since is None else Millis(START + since),
        None if until is None else Millis(START + until),
    )


async def answers(searches: Searches, wanted: Query, limit: int) -> list[object]:
    """Read every page of a query for tweets, and of every search for a name."""
    found: list[object] = [await pages(lambda before, n: searches.tweets.newest(wanted, before, n), limit)]
    for name in ASKED:
        found.append((name, await pages(partial(searches.users.find, name), limit)))
        found.append((name, await pages(partial(searches.hashtags.find, name), limit)))
    return found


@at_most(30)
@given(
    STEPS,
    st.lists(TERMS, min_size=1, max_size=3),
    st.lists(TERMS, max_size=2),
    st.tuples(st.none() | st.integers(-1, 7), st.none() | st.integers(-1, 7)),
    st.integers(1, 3),
    SEEDS,
)
def test_the_same_history_gives_the_same_answers_on_both_engines(
    database: Database,
    steps: list[tuple[str, int, str, str]],
    every: list[str],
    none: list[str],
    times: tuple[int | None, int | None],
    limit: int,
    randomness: random.Random,
) -> None:
    often = Counter(token for term in (*every, *none) for token in tokeniser.words(term))
    assume(max(often.values()) <= MOST_REPEATED)
    records, wanted = history(steps), query(every, none, *times)

    async def both() -> None:
        sqlite = OnSqlite()
        async with emptied(database) as postgres:
            await apply(sqlite.group, [records])
            await apply(postgres.group, batched(records, randomness))
            assert await answers(postgres, wanted, limit) == await answers(sqlite, wanted, limit)
        sqlite.close()

    asyncio.run(both())


@at_most(15)
@given(STEPS, SEEDS)
def test_redelivery_interleaving_and_the_limits_of_batches_change_no_row(
    database: Database, steps: list[tuple[str, int, str, str]], randomness: random.Random
) -> None:
    records = history(steps)

    async def end(batches: Iterator[Sequence[Record]]) -> dict[str, tuple[int, str]]:
        async with emptied(database) as postgres:
            await apply(postgres.group, batches)
        return await digests(database)

    async def all_ways() -> None:
        once = await end(iter([records]))
        assert await end(batched(redelivered(interleaved(records, randomness), randomness), randomness)) == once

    asyncio.run(all_ways())


async def test_a_digest_changes_if_a_row_is_missing(index: OnPostgres) -> None:
    told = Told()
    await apply(index.group, [told.tell(posted(tweet_id(1), PEOPLE[0], "late #late"), registered(0, "ada", "Ada"))])
    before = await digests(index.database)
    async with index.pool.connection() as connection:
        for table in ("search_postings", "user_search_trigrams", "hashtag_search_tags"):
            await connection.execute(f"DELETE FROM {table}".encode())
    after = await digests(index.database)

    assert [model for model in before if before[model] != after[model]] == SEARCHES


async def test_deleted_tweets_leave_no_rows(index: OnPostgres) -> None:
    told = Told()
    await apply(index.group, [told.tell(posted(tweet_id(1), PEOPLE[0], "late #late"))])
    await apply(index.group, [told.tell(edited(tweet_id(1), PEOPLE[0], "early #early #são"))])
    assert (await digests(index.database))["search"][0] == 1 + 5  # early, sao, two tags, the author
    await apply(index.group, [told.tell(TweetDeleted(tweet=tweet_id(1), author=PEOPLE[0]))])

    found = await digests(index.database)
    assert [found[model][0] for model in SEARCHES] == [0, 0, 0]


async def test_a_word_too_long_for_an_index_is_found_like_any_other(index: OnPostgres) -> None:
    long, other = "x" * 5000, "x" * 4999 + "y"
    told = Told()
    texts = (f"see {long} there", f"see {other} there", "see there")
    await apply(index.group, [told.tell(*(posted(tweet_id(n), PEOPLE[0], text) for n, text in enumerate(texts)))])

    assert await found(index, query([long], [])) == [tweet_id(0)]
    assert await found(index, query([f'"{other} there"'], [])) == [tweet_id(1)]
    assert await found(index, query(["see"], [long])) == [tweet_id(2), tweet_id(1)]


async def test_an_underscore_in_a_hashtag_is_no_wildcard(index: OnPostgres) -> None:
    told = Told()
    texts = ("#a_b", "#axb")
    await apply(index.group, [told.tell(*(posted(tweet_id(n), PEOPLE[0], text) for n, text in enumerate(texts)))])

    assert await found(index, query(["#a_b"], [])) == [tweet_id(0)]
    assert await found(index, query(["#axb"], ["#a_b"])) == [tweet_id(1)]


async def test_a_search_stops_after_its_limit_of_steps_and_the_list_continues(
    index: OnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only match is far behind many tweets that have both words, but not as a phrase."""
    monkeypatch.setattr(
        postgres_search, "_NEWEST", postgres_search._NEWEST.replace("20000", "10").replace("19999", "9")
    )
    told = Told()
    tweets = [TweetId(id_at(Millis(START + n), "tweet")) for n in range(25)]
    texts = ["a b", *["b a"] * 24]
    await apply(index.group, [told.tell(*(posted(t, PEOPLE[0], text) for t, text in zip(tweets, texts, strict=True)))])
    read: list[Page[Match]] = await pages(lambda before, n: index.tweets.newest(query(['"a b"'], []), before, n), 3)

    assert [[match.tweet for match in page.items] for page in read] == [[], [], [tweets[0]]]
    assert [page.next for page in read] == [tweets[15], tweets[5], None]


async def found(index: OnPostgres, wanted: Query) -> list[TweetId]:
    return [match.tweet for match in (await index.tweets.newest(wanted, None, 10)).items]


@at_most(40)
@given(st.lists(st.text("ab_é東 ß😀", max_size=12) | st.text(max_size=12).filter(lambda s: "\0" not in s), max_size=20))
def test_trigrams_in_sql_are_those_of_the_other_engine(database: Database, names: list[str]) -> None:
    keys = [name_key(name.encode(errors="ignore").decode()) for name in names]

    async def compare() -> None:
        async with emptied(database) as index, index.pool.connection() as connection:
            for key in keys:
                cursor = await connection.execute("SELECT trigram, size FROM name_trigrams(%s)", (key,))
                expected = trigrams(key)
                assert set(await cursor.fetchall()) == {(trigram, len(expected)) for trigram in expected}

    asyncio.run(compare())


async def test_the_cost_of_a_page_newest_first_depends_on_its_length_only(index: OnPostgres) -> None:
    """3,000 tweets have the words. A page of three reads a few rows; finding the rarer word reads 200 of each."""
    told = Told()
    many = [TweetId(id_at(Millis(START + n), "tweet")) for n in range(3000)]
    records = told.tell(
        *(TweetPosted(tweet=t, author=PEOPLE[0], conversation=t, text="a b", entities=Entities()) for t in many)
    )
    await apply(index.group, [records])
    async with index.pool.connection() as connection:
        await connection.execute("ANALYZE")
    values = {"tokens": ["a", "b"], "every": ["% a %", "% b %"], "none": [], "limit": 3}

    assert await touched(index, postgres_search._NEWEST, values | {"first": "0" * 32, "last": "f" * 32}) < 500


async def test_a_search_for_users_and_a_change_of_names_read_few_of_many_accounts(index: OnPostgres) -> None:
    """The planner has no statistics of the 2,000 accounts with a common prefix, and overestimates a few trigrams."""
    told = Told()
    await apply(index.group, [told.tell(*(registered(n, f"zoe{n}", f"Zoe {n} Lee") for n in range(2000)))])
    async with index.pool.connection() as connection:
        await connection.execute("ANALYZE")
    await apply(index.group, [told.tell(*(registered(n, f"anna{n}", f"Ann {n} Lee") for n in range(2000, 4000)))])
    start = {"key": "ann", "end": "ann\U0010ffff", "after": "ann", "slot": -1, "account": -1, "limit": 11}
    some = [account_number(account(n)) for n in range(100)]

    assert await touched(index, postgres_user_search._BY_PREFIX, start) < 200
    assert await touched(index, postgres_user_search._UNINDEX, (some,)) < 20_000


async def touched(index: OnPostgres, statement: str, values: Values) -> int:
    """Return how many rows of tables a statement reads."""
    async with index.pool.connection() as connection, connection.transaction(force_rollback=True):
        await connection.execute("ANALYZE")
        cursor = await connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}".encode(), values)
        [([explained],)] = await cursor.fetchall()
    return sum(
        step["Actual Rows"] * step["Actual Loops"] for step in _steps(explained["Plan"]) if "Scan" in step["Node Type"]
    )


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _steps(part)
