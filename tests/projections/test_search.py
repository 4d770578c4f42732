"""The search of tweets, users and hashtags: what is found is what a naive reader of everything would find."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_api.text.entities import extract
from events.accounts import AccountRegistered, Profile, ProfileChanged
from events.entities import Entities
from events.event import Envelope, Event
from events.ids import AccountId, EventId, HybridClock, Millis, TweetId, id_at, to_bytes
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from projectors.hashtag_search import HashtagSearch
from projectors.search import Search
from projectors.user_search import UserSearch
from projectors.users import Users
from query_api.search_query import parse
from stores.hashtag_search import TagUse
from stores.pages import Page
from stores.search import Query
from stores.sqlite.hashtag_search import HASHTAG_SEARCH, SqliteHashtagSearch, SqliteHashtagSearchRows
from stores.sqlite.search import SEARCH, SqliteSearch, SqliteSearchRows, home_row
from stores.sqlite.user_search import USER_SEARCH, SqliteUserSearch, SqliteUserSearchRows
from stores.sqlite.users import USERS, SqliteUserRows
from stores.sqlite.views import Views
from stores.tokeniser import author
from stores.trigrams import resemblance, similarity, trigrams

START = Millis(1_750_000_000_000)
T = TypeVar("T")


def paged(find: Callable[[str | None, int], Awaitable[Page[T]]], limit: int) -> list[T]:
    """Everything that a list has, read page by page."""

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
        """Have SQLite compare its index with the rows."""
        name = self.views.names()["search_index"]
        self.views.connection.execute(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 1)")


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index()
    yield made
    made.views.connection.close()


def posted(tweet: TweetId, by: AccountId, text: str) -> TweetPosted:
    return TweetPosted(tweet=tweet, author=by, text=text, entities=extract(text), conversation=tweet)


def edited(tweet: TweetId, by: AccountId, text: str) -> TweetEdited:
    return TweetEdited(tweet=tweet, author=by, version=2, text=text, entities=extract(text))


# Tweets, against a naive matcher over ASCII texts.

PEOPLE = tuple(AccountId(id_at(START, "account", str(n))) for n in range(2))
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
        """Whether a naive reader finds a term of a query in it."""
        if term[0] in "#@":
            return term.lower() in re.findall(r"(?<!\w)[#@]\w+", self.text.lower())
        found = re.findall("[a-z0-9]+", self.text.lower())
        wanted = re.findall("[a-z0-9]+", term.lower())
        return any(found[i : i + len(wanted)] == wanted for i in range(len(found)))


def tweet_id(n: int) -> TweetId:
    """Few moments and few fronts of ids, so that some tweets take each other's place."""
    return TweetId(f"{id_at(Millis(START + n // 5), 'one')[:-2]}{n:02x}")


@settings(deadline=None)
@given(STEPS, st.lists(TERMS, min_size=1, max_size=3), st.lists(TERMS, max_size=2), st.data())
def test_a_search_finds_what_a_naive_reader_finds_newest_first(
    steps: list[tuple[str, int, str]], every: list[str], none: list[str], data: st.DataObject
) -> None:
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
        elif action == "delete" and there.pop(tweet, None):
            index.tell(TweetDeleted(tweet=tweet, author=by))
    since, until = data.draw(st.none() | st.integers(-1, 7)), data.draw(st.none() | st.integers(-1, 7))

    found = index.find(
        " ".join((*every, *(f"-{term}" for term in none))),
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
    index.views.connection.close()


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), unique=True), st.sets(st.integers(0, 30)), st.randoms(use_true_random=False))
def test_tweets_with_the_same_front_of_the_id_have_rows_that_do_not_depend_on_the_order_they_came_in(
    numbers: list[int], gone: set[int], chance: random.Random
) -> None:
    """Every tweet that is deleted was posted before; nothing else is known of the order."""
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
        index.views.connection.close()

    assert len(digests) == 1


def _shuffled(events: list[Event], chance: random.Random) -> list[Event]:
    """Another order, in which each tweet is still posted before it is deleted."""
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
    """The plan: rows come from the index in order, bounded, and each is looked up by its row id."""
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


# Users.

NAMES = st.text("abcdefgij ", min_size=1, max_size=12).filter(lambda name: name.strip() != "")


def register(index: Index, n: int, username: str, display_name: str) -> AccountId:
    account = AccountId(id_at(START, "account", str(n)))
    index.tell(AccountRegistered(account=account, username=username, display_name=display_name))
    return account


def rename(index: Index, account: AccountId, display_name: str) -> None:
    index.tell(ProfileChanged(account=account, profile=Profile(display_name=display_name)))


def test_users_are_found_by_the_beginning_of_the_name_the_display_name_and_any_word_of_it(index: Index) -> None:
    ada = register(index, 1, "ada_l", "Augusta Ada King")
    bob = register(index, 2, "Bob", "Bob")

    for name in ("ad", "ADA", "@ada", "ada_l", "aug", "Ada Ki", "king", "ＫＩＮＧ"):
        assert index.find_users(name) == [ada]
    for name in ("b", "bob"):
        assert index.find_users(name) == [bob]
    assert index.find_users("da") == []
    assert index.find_users("@") == []


def test_an_exact_user_name_comes_first(index: Index) -> None:
    other = register(index, 1, "zoe", "Ann Lee")
    longer = register(index, 2, "annabel", "x")
    exact = register(index, 3, "ann", "y")

    assert index.find_users("Ann")[0] == exact
    assert set(index.find_users("Ann")) == {exact, other, longer}


def test_a_changed_display_name_is_found_and_the_old_one_is_not(index: Index) -> None:
    ada = register(index, 1, "ada", "Augusta Byron")
    rename(index, ada, "Countess of Lovelace")

    assert index.find_users("lovelace") == index.find_users("lovelice") == [ada]
    assert index.find_users("byron") == index.find_users("augusta") == []


def test_one_wrong_letter_still_finds_the_user_behind_those_with_the_prefix(index: Index) -> None:
    alice, alix = register(index, 1, "alice", "A"), register(index, 2, "alixe_b", "B")

    assert index.find_users("alixe") == [alix, alice]


@settings(deadline=None)
@given(st.text("abcdefgij", min_size=3, max_size=15), st.data())
def test_a_letter_replaced_left_out_or_added_leaves_a_name_similar_enough(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from("abcxyz"))
    for wrong in (name[:at] + letter + name[at + 1 :], name[:at] + name[at + 1 :], name[:at] + letter + name[at:]):
        if len(wrong) > 2:
            assert resemblance(wrong, name) > 0


def test_trigrams_and_similarity_are_those_of_postgresql() -> None:
    """The examples of its documentation, F.33: show_trgm('cat'), and similarity('word', 'two words')."""
    assert trigrams("cat") == {"  c", " ca", "cat", "at "}
    assert similarity(trigrams("word"), trigrams("two words")) == pytest.approx(0.363636, abs=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES, NAMES | st.none()), max_size=12), NAMES, st.integers(1, 4))
def test_the_search_of_users_is_that_of_a_naive_reader(
    people: list[tuple[str, str, str | None]], wanted: str, limit: int
) -> None:
    index = Index()
    names: dict[AccountId, list[str]] = {}
    for n, (username, display_name, later) in enumerate(people):
        username = username.replace(" ", "") + f"x{n}"
        account = register(index, n, username, display_name)
        if later is not None:
            rename(index, account, later)
        words = (display_name if later is None else later).split()
        names[account] = [username, " ".join(words), *(" ".join(words[i:]) for i in range(len(words)))]
    key = " ".join(wanted.split())

    def alike(account: AccountId) -> float:
        username, whole, *endings = names[account]
        compared = [username, whole, *(ending.split()[0] for ending in endings)]
        return max(resemblance(key, name) for name in compared)

    prefixed = {a: min(name for name in names[a] if name.startswith(key)) for a in names if _begins(names[a], key)}
    similar = {a for a in names if a not in prefixed and alike(a)}
    found = index.find_users(wanted, limit)

    assert len(found) == len(set(found))
    assert set(found[: len(prefixed)]) == set(prefixed)
    assert [prefixed[a] for a in found[: len(prefixed)]] == sorted(prefixed.values())
    assert set(found[len(prefixed) :]) == similar
    scores = [alike(a) for a in found[len(prefixed) :]]
    assert scores == sorted(scores, reverse=True)
    index.views.connection.close()


def _begins(names: list[str], key: str) -> bool:
    return any(name.startswith(key) for name in names)


@settings(deadline=None, max_examples=30)
@given(st.lists(NAMES, min_size=1, max_size=4), NAMES)
def test_what_is_kept_of_an_account_depends_on_its_present_names_only(before: list[str], now: str) -> None:
    changed, direct = Index(), Index()
    account = register(changed, 1, "abc", before[0])
    for name in (*before[1:], now):
        rename(changed, account, name)
    register(direct, 1, "abc", now)

    assert changed.views.digest("user_search") == direct.views.digest("user_search")
    for index in (changed, direct):
        index.views.connection.close()


# Hashtags.


def test_hashtags_are_found_by_prefix_the_most_used_first_and_then_by_similarity(index: Index) -> None:
    for n, text in enumerate(("#delay #delays", "#DELAY again", "#delta", "#decay", "#other")):
        index.tell(posted(tweet_id(n), PEOPLE[0], text))

    assert index.find_tags("#del") == [TagUse("delay", 2), TagUse("delays", 1), TagUse("delta", 1)]
    assert index.find_tags("delay") == [TagUse("delay", 2), TagUse("delays", 1), TagUse("decay", 1)]
    assert index.find_tags("othar") == [TagUse("other", 1)]
    assert index.find_tags("o") == [TagUse("other", 1)]
    assert index.find_tags("#") == []


def test_accents_do_not_matter_but_each_tag_is_counted_by_itself(index: Index) -> None:
    index.tell(posted(tweet_id(1), PEOPLE[0], "#são"), posted(tweet_id(2), PEOPLE[0], "#sao"))

    assert index.find_tags("SÃO") == [TagUse("sao", 1), TagUse("são", 1)]


def test_an_edit_and_a_deletion_take_uses_back_and_an_unused_tag_is_not_found(index: Index) -> None:
    index.tell(
        posted(tweet_id(1), PEOPLE[0], "#one #two"),
        posted(tweet_id(2), PEOPLE[0], "#two #two"),
        edited(tweet_id(1), PEOPLE[0], "#two #three"),
    )
    assert index.find_tags("one") == []
    assert index.find_tags("t") == [TagUse("two", 2), TagUse("three", 1)]

    index.tell(TweetDeleted(tweet=tweet_id(1), author=PEOPLE[0]), TweetDeleted(tweet=tweet_id(2), author=PEOPLE[0]))
    assert index.find_tags("t") == []
    assert index.views.digest("hashtag_search")[0] == 0


def test_a_tag_too_long_to_be_typed_is_no_obstacle(index: Index) -> None:
    index.tell(posted(tweet_id(1), PEOPLE[0], "#" + "a" * 200), edited(tweet_id(1), PEOPLE[0], "no tag"))

    assert index.find_tags("a") == []


def test_a_tweet_without_entities_is_no_obstacle(index: Index) -> None:
    tweet = tweet_id(1)
    index.tell(TweetPosted(tweet=tweet, author=PEOPLE[0], text="", entities=Entities(), conversation=tweet))

    assert asyncio.run(index.tweets.newest(Query(((author(PEOPLE[0]),),)), None, 9)).items[0].tweet == tweet
