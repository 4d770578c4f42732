"""Parsing of search queries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_api.search_query import MOST_REPEATED, MOST_WORDS, ParsedQuery, QueryRefused, parse


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("late flight", ParsedQuery([("late",), ("flight",)], [], [], [])),
        ('"late flight" now', ParsedQuery([("late", "flight"), ("now",)], [], [], [])),
        ('"never ended', ParsedQuery([("never", "ended")], [], [], [])),
        ("Late LATE", ParsedQuery([("late",)], [], [], [])),
        ("don't e-mail", ParsedQuery([("don", "t"), ("e", "mail")], [], [], [])),
        ("東京タワー", ParsedQuery([("東", "京", "タ", "ワ", "ー")], [], [], [])),
        ("#Delay", ParsedQuery([("h_delay",)], [], [], [])),
        ("＃straße", ParsedQuery([("h_strasse",)], [], [], [])),
        ("#1", ParsedQuery([("1",)], [], [], [])),
        ("#one, #two", ParsedQuery([("h_one",), ("h_two",)], [], [], [])),
        ("@Ada's", ParsedQuery([("m_ada",), ("s",)], [], [], [])),
        ("@ab", ParsedQuery([("ab",)], [], [], [])),
        ("me@example.org", ParsedQuery([("me", "example", "org")], [], [], [])),
        ("flight from:Ada", ParsedQuery([("flight",)], [], ["Ada"], [])),
        ("FROM:@ada", ParsedQuery([], [], ["ada"], [])),
        ("from:ada!", ParsedQuery([("from", "ada")], [], [], [])),
        ('flight -late -"too late" -#x1 -@ada -from:bob', ParsedQuery(
            [("flight",)], [("late",), ("too", "late"), ("h_x1",), ("m_ada",)], [], ["bob"])),
        ("--late well-known", ParsedQuery([("well", "known")], [("late",)], [], [])),
        ("“late flight” from：ada", ParsedQuery([("late", "flight")], [], ["ada"], [])),
        ("„late flight“ –„too late“", ParsedQuery([("late", "flight")], [("too", "late")], [], [])),
        ("«late flight» ＂now", ParsedQuery([("late", "flight"), ("now",)], [], [], [])),
        ("late – again", ParsedQuery([("late",), ("again",)], [], [], [])),
        ("late—again", ParsedQuery([("late", "again")], [], [], [])),
        ("don’t", ParsedQuery([("don", "t")], [], [], [])),
        ("https://example.org/a", ParsedQuery([("example", "org", "a")], [], [], [])),
        ("- ! \"\" '", ParsedQuery([], [], [], [])),
    ],
)  # fmt: skip
def test_a_query_is_taken_apart(text: str, parsed: ParsedQuery) -> None:
    assert parse(text) == parsed


@pytest.mark.parametrize("dash", "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")
def test_every_dash_that_a_phone_writes_leaves_out(dash: str) -> None:
    query = f"late {dash}again {dash}#delay {dash}@ada {dash}from:bob {dash}“too late”"
    assert parse(query) == ParsedQuery(
        [("late",)], [("again",), ("h_delay",), ("m_ada",), ("too", "late")], [], ["bob"]
    )


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
