"""Sentiment scores of texts: VADER, without mentioned names."""

from __future__ import annotations

import pytest

from command_api.text.entities import extract
from events.sentiment import label_of
from streams.scoring import MOST_EMOJI, Scorer
from tests.streams.analytics import REAL_TWEETS, real_rows


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer()


def test_praise_is_positive_and_blame_is_negative(scorer: Scorer) -> None:
    assert scorer.score("What a lovely flight, thank you!", ()).label == "positive"
    assert scorer.score("An awful delay, again", ()).label == "negative"
    assert scorer.score("The flight leaves at noon", ()) == ("neutral", 0.0)


def test_scores_at_the_thresholds_are_not_neutral() -> None:
    assert [label_of(score) for score in (0.05, 0.0499, -0.0499, -0.05)] == [
        "positive",
        "neutral",
        "neutral",
        "negative",
    ]


def test_a_mentioned_name_is_no_praise(scorer: Scorer) -> None:
    text = "@united when do we board?"

    assert scorer.score(text, ()).label == "positive"
    assert scorer.score(text, extract(text).mentions) == ("neutral", 0.0)


def test_another_text_is_scored_anew_and_so_are_other_mentions(scorer: Scorer) -> None:
    text = "@united is united"

    scores = [scorer.score(text, ()), scorer.score(text, extract(text).mentions), scorer.score("awful", ())]

    assert len({score.score for score in scores}) == 3
    assert scorer.score(text, ()) == scores[0]


def test_emoji_beyond_the_most_that_are_read_are_left_out_and_words_are_not(scorer: Scorer) -> None:
    few, many = "😂" * MOST_EMOJI, "😂" * (MOST_EMOJI + 60)

    assert scorer.score(many, ()) == scorer.score(few, ())
    assert scorer.score(f"{many} awful", ()) == scorer.score(f"{few} awful", ())
    assert scorer.score(f"{many} awful", ()) != scorer.score(many, ())


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_TWEETS.exists(), reason="the real tweets are not beside the project")
def test_leaving_mentions_out_agrees_better_with_people(scorer: Scorer) -> None:
    without = with_them = rows = 0
    for row in real_rows():
        rows += 1
        without += scorer.score(row["text"], extract(row["text"]).mentions).label == row["sentiment"]
        with_them += scorer.score(row["text"], ()).label == row["sentiment"]

    assert without / rows > 0.54
    assert with_them / rows < 0.50
