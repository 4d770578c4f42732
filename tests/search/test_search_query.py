"""Parsing of search queries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_api.search_query import MOST_REPEATED, MOST_WORDS, Parsed, QueryRefused, parse


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("late flight", Parsed([("late",), ("flight",)], [], [], [])),
        ('"late flight" now', Parsed([("late", "flight"), ("now",)], [], [], [])),
        ('"never ended', Parsed([("never", "ended")], [], [], [])),
        ("Late LATE", Parsed([("late",)], [], [], [])),
        ("don't e-mail", Parsed([("don", "t"), ("e", "mail")], [], [], [])),
        ("東京タワー", Parsed([("東", "京", "タ", "ワ", "ー")], [], [], [])),
        ("#Delay", Parsed([("h_delay",)], [], [], [])),
        ("＃straße", Parsed([("h_strasse",)], [], [], [])),
        ("#1", Parsed([("1",)], [], [], [])),
        ("#one, #two", Parsed([("h_one",), ("h_two",)], [], [], [])),
        ("@Ada's", Parsed([("m_ada",), ("s",)], [], [], [])),
        ("@ab", Parsed([("ab",)], [], [], [])),
        ("me@example.org", Parsed([("me", "example", "org")], [], [], [])),
        ("flight from:Ada", Parsed([("flight",)], [], ["Ada"], [])),
        ("FROM:@ada", Parsed([], [], ["ada"], [])),
        ("from:ada!", Parsed([("from", "ada")], [], [], [])),
        ('flight -late -"too late" -#x1 -@ada -from:bob', Parsed(
            [("flight",)], [("late",), ("too", "late"), ("h_x1",), ("m_ada",)], [], ["bob"])),
        ("--late well-known", Parsed([("well", "known")], [("late",)], [], [])),
        ("“late flight” from：ada", Parsed([("late", "flight")], [], ["ada"], [])),
        ("„late flight“ –„too late“", Parsed([("late", "flight")], [("too", "late")], [], [])),
        ("«late flight» ＂now", Parsed([("late", "flight"), ("now",)], [], [], [])),
        ("late – again", Parsed([("late",), ("again",)], [], [], [])),
        ("late—again", Parsed([("late", "again")], [], [], [])),
        ("don’t", Parsed([("don", "t")], [], [], [])),
        ("https://example.org/a", Parsed([("example", "org", "a")], [], [], [])),
        ("- ! \"\" '", Parsed([], [], [], [])),
    ],
)  # fmt: skip
def test_a_query_is_taken_apart(text: str, parsed: Parsed) -> None:
    assert parse(text) == parsed


@pytest.mark.parametrize("dash", "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")
def test_every_dash_that_a_phone_writes_leaves_out(dash: str) -> None:
    query = f"late {dash}again {dash}#delay {dash}@ada {dash}from:bob {dash}“too late”"
    assert parse(query) == Parsed([("late",)], [("again",), ("h_delay",), ("m_ada",), ("too", "late")], [], ["bob"])


def test_from_without_a_name_is_refused_with_a_reason() -> None:
    with pytest.raises(QueryRefused, match="from: needs the name"):
        parse("late from: ada")


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_query_with_too_many_words_or_one_too_often_is_refused(sign: str) -> None:
    many = [f"{sign}w{n}" for n in range(MOST_WORDS)]
    parsed = parse(" ".join(many))
    assert len(parsed.every) + len(parsed.none) == MOST_WORDS
    often = " ".join(["ha"] * MOST_REPEATED)
    assert parse(f'"{often}"').every == [("ha",) * MOST_REPEATED]

    for refused in (" ".join([*many, "one"]), f'{sign}"{often} ha"', " ".join([f"{sign}from:ada"] * 5)):
        with pytest.raises(QueryRefused, match="up to 64 words, each up to 4 times"):
            parse(refused)


@given(st.text(st.sampled_from("ab1 \"'-#@:_éß京👍\n") | st.characters(), max_size=80))
def test_whatever_is_written_is_taken_apart_into_tokens_or_refused(text: str) -> None:
    try:
        parsed = parse(text)
    except QueryRefused:
        return
    for phrase in parsed.every + parsed.none:
        assert phrase
        assert all(token and not set(token) & set(' "()*^:') for token in phrase)
