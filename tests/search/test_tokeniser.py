"""The tokens of texts, the same for all indexes and queries."""

from __future__ import annotations

import unicodedata

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_api.text.entities import extract
from events.entities import fold_tag
from events.ids import AccountId, HybridClock
from stores.text.tokeniser import author, document, fold, hashtag, mention, words

ADA = AccountId(HybridClock().issue())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, World! 2nd time", ["hello", "world", "2nd", "time"]),
        ("snake_case don't", ["snake", "case", "don", "t"]),
        ("Ada says #Hello to @Bob", ["ada", "says", "hello", "to", "bob"]),
        ("see https://example.org/a?b=c", ["see", "example", "org", "a", "b", "c"]),
        ("Café naïve Ångström ŁÓDŹ smørrebrød", ["cafe", "naive", "angstrom", "lodz", "smorrebrod"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ἀρχή Ὀδυσσεύς", ["αρχη", "οδυσσευσ"]),
        ("ёлка", ["елка"]),
        ("ﬁne ｗｉｄｅ ①", ["fine", "wide", "1"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("ｶﾞﾗｽ", ["ガ", "ラ", "ス"]),
        ("가나", ["가", "나"]),
        ("สวัสดี", ["ส", "ว", "ั", "ส", "ด", "ี"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("שָׁלוֹם", ["שלום"]),
        ("السَّلَامُ مُحَمَّد", ["السلام", "محمد"]),
        ("good 👍🏽 ❤️ 🇦🇹", ["good", "👍", "❤", "🇦", "🇹"]),
        ("", []),
        ("!?… — \n", []),
    ],
)
def test_words_are_found_in_any_script(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(st.text(max_size=60))
def test_case_width_and_composition_make_no_difference(text: str) -> None:
    for same in (text.casefold(), *(unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD"))):
        assert words(same) == words(text)


@given(st.text(max_size=60))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=60))
def test_a_word_is_one_word(text: str) -> None:
    assert [words(word) for word in words(text)] == [[word] for word in words(text)]


@given(st.text(max_size=30), st.text(max_size=30))
def test_words_of_two_texts_with_a_space_between_are_those_of_both(one: str, other: str) -> None:
    assert words(f"{one} {other}") == words(one) + words(other)


TAG = st.text(
    st.one_of(st.characters(categories=("L", "M", "Nd")), st.sampled_from("_·~\u200c\u30fb\u309b\u05f4")), min_size=1
)


@given(st.text(max_size=60), st.lists(TAG, max_size=3))
def test_fts5_splits_a_document_into_exactly_its_tokens(text: str, tags: list[str]) -> None:
    tokens = [*words(text), *map(hashtag, tags), mention("Ada_1"), author(ADA)]
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE VIRTUAL TABLE found USING fts5(tokens, tokenize=\"ascii tokenchars '_'\")")
    connection.execute("CREATE VIRTUAL TABLE instances USING fts5vocab(found, 'instance')")
    connection.execute("INSERT INTO found VALUES (?)", (" ".join(tokens),))

    assert [row[0] for row in connection.execute("SELECT term FROM instances ORDER BY offset")] == tokens


@given(TAG, TAG)
def test_hashtags_are_the_same_token_where_they_are_the_same_tag(one: str, other: str) -> None:
    assert (hashtag(one) == hashtag(other)) == (fold_tag(one) == fold_tag(other))


@given(st.text(max_size=60))
def test_a_word_is_never_taken_for_a_hashtag_a_mention_or_an_author(text: str) -> None:
    assert not any("_" in word for word in words(text))


def test_a_document_has_the_words_and_then_hashtags_mentions_and_author() -> None:
    text = "Late again, @Ada! #MadeIt"

    assert document(text, extract(text), ADA).split() == [
        "late",
        "again",
        "ada",
        "madeit",
        "h_madeit",
        "m_ada",
        author(ADA),
    ]
