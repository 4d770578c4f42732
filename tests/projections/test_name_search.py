"""The search for users and hashtags: by prefix, then by similarity."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events.accounts import AccountRegistered, Profile, ProfileChanged
from events.ids import AccountId, id_at
from events.tweets import TweetDeleted
from stores.hashtag_search import TagUse
from stores.text.trigrams import ENOUGH, resemblance, similarity, trigrams
from tests.examples import at_most
from tests.projections.searched import PEOPLE, START, Index, edited, posted, tweet_id


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index()
    yield made
    made.close()


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


@given(st.text("abcdefgij", min_size=3, max_size=15), st.data())
def test_a_letter_replaced_left_out_or_added_leaves_a_name_similar_enough(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from("abcxyz"))
    for wrong in (name[:at] + letter + name[at + 1 :], name[:at] + name[at + 1 :], name[:at] + letter + name[at:]):
        if len(wrong) > 2:
            assert resemblance(wrong, name) > 0


def test_two_wrong_letters_in_a_short_name_are_another_name(index: Index) -> None:
    register(index, 1, "ada", "x")
    register(index, 2, "bo", "y")

    assert index.find_users("ali") == index.find_users("ba") == []
    assert len(index.find_users("ade")) == 1


def test_a_name_with_many_trigrams_more_or_fewer_is_not_similar(index: Index) -> None:
    register(index, 1, "xyz", "ca")

    assert similarity(trigrams("ca baaab"), trigrams("ca")) > ENOUGH
    assert index.find_users("ca baaab") == []
    assert len(index.find_users("ca baa")) == 1


def test_trigrams_and_similarity_are_those_of_postgresql() -> None:
    """The examples of PostgreSQL's documentation, F.33: show_trgm('cat'), and similarity('word', 'two words')."""
    assert trigrams("cat") == {"  c", " ca", "cat", "at "}
    assert similarity(trigrams("word"), trigrams("two words")) == pytest.approx(0.363636, abs=1e-6)


@given(st.lists(st.tuples(NAMES, NAMES, NAMES | st.none()), max_size=12), NAMES, st.integers(1, 4))
@example([("a", "a", "ca")], "ca baaab", 1)
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
    index.close()


def _begins(names: list[str], key: str) -> bool:
    return any(name.startswith(key) for name in names)


@at_most(30)
@given(st.lists(NAMES, min_size=1, max_size=4), NAMES)
def test_what_is_kept_of_an_account_depends_on_its_present_names_only(before: list[str], now: str) -> None:
    changed, direct = Index(), Index()
    account = register(changed, 1, "abc", before[0])
    for name in (*before[1:], now):
        rename(changed, account, name)
    register(direct, 1, "abc", now)

    assert changed.views.digest("user_search") == direct.views.digest("user_search")
    for index in (changed, direct):
        index.close()


# Hashtags.


def test_hashtags_are_found_by_prefix_the_most_used_first_and_then_by_similarity(index: Index) -> None:
    for n, text in enumerate(("#delay #delays", "#DELAY again", "#delta", "#decay", "#other")):
        index.tell(posted(tweet_id(n), PEOPLE[0], text))

    assert index.find_tags("#del") == [TagUse("delay", 2), TagUse("delays", 1), TagUse("delta", 1)]
    assert index.find_tags("delay") == [TagUse("delay", 2), TagUse("delays", 1), TagUse("decay", 1), TagUse("delta", 1)]
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
