"""The conformance cases of twitter-text, every one of the sections that have a counterpart here.

Not run, for want of a counterpart: lists, cashtags, replies (a reply is a field of a tweet here, not a way of
writing), the validity of a single URL, and the fields of the weighted cases that serve a text box (permillage
and ranges). Indices count code points; no case tells them from UTF-16 units.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_api.text import weighing
from command_api.text.entities import extract
from command_api.text.errors import TextError
from command_api.text.urls import find_links
from command_api.text.validation import is_hashtag, is_username, read_tweet
from tests.text.weights import weigh

ROOT = Path(__file__).parents[2]
DATA = Path("../shared/data/twitter-text")

if not (ROOT / DATA).is_dir():
    pytest.skip(f"no twitter-text data at {DATA} (from the project root)", allow_module_level=True)

_V1 = "counts by the first configuration, to 140 with 1 for each character; v3 counts to 280"
_V2 = "counts by the second configuration, which adds up the parts of an emoji; v3 counts an emoji as 2"
_SPANS = "a span of direction that is left open turns round what is shown after the tweet: all are refused"

#: The cases that are deliberately not followed, by section and description, and why.
DEVIATIONS = {
    ("tweets", "Invalid Tweet: 141 characters"): _V1,
    ("tweets", "Invalid Tweet: 141 characters (due to newline)"): _V1,
    (
        "WeightedTweetsCounterTest",
        "Count a mix of single byte single word, and double word unicode characters",
    ): _V2,
    (
        "WeightedTweetsCounterTest",
        "Count unicode emoji chars outside the basic multilingual plane with skin tone modifiers",
    ): _V2,
    (
        "UnicodeDirectionalMarkerCounterTest",
        "Tweet text containing directional characters should be considered valid",
    ): _SPANS,
}


def _is_tweet(text: str) -> bool:
    try:
        read_tweet(text)
    except TextError:
        return False
    return True


def _links(text: str) -> list[tuple[str, int, int]]:
    return [(text[start:end], start, end) for start, end, _ in find_links(text)]


def _words(case: dict[str, Any]) -> Any:
    return case["expected"]


def _indexed(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda case: [(found[name], *found["indices"]) for found in case["expected"]]


#: Section: what the case expects, and what is found.
VALIDATE: dict[str, tuple[Callable[[dict[str, Any]], Any], Callable[[str], Any]]] = {
    "tweets": (_words, _is_tweet),
    "usernames": (_words, lambda text: text[0] == "@" and is_username(text[1:])),
    "hashtags": (_words, lambda text: text[0] == "#" and is_hashtag(text[1:])),
} | {
    section: (
        lambda case: (case["expected"]["weightedLength"], case["expected"]["valid"]),
        lambda text: (weigh(text), _is_tweet(text)),
    )
    for section in (
        "WeightedTweetsCounterTest",
        "WeightedTweetsWithDiscountedEmojiCounterTest",
        "UnicodeDirectionalMarkerCounterTest",
    )
}

EXTRACT: dict[str, tuple[Callable[[dict[str, Any]], Any], Callable[[str], Any]]] = {
    "mentions": (_words, lambda text: [found.username for found in extract(text).mentions]),
    "mentions_with_indices": (
        _indexed("screen_name"),
        lambda text: [(found.username, found.start, found.end) for found in extract(text).mentions],
    ),
    # There are no lists here; the name of one is not a mention, as in twitter-text.
    "mentions_or_lists_with_indices": (
        lambda case: [
            (found["screen_name"], *found["indices"]) for found in case["expected"] if not found["list_slug"]
        ],
        lambda text: [(found.username, found.start, found.end) for found in extract(text).mentions],
    ),
    "urls": (_words, lambda text: [url for url, _, _ in _links(text)]),
    "urls_with_indices": (_indexed("url"), _links),
    "urls_with_directional_markers": (_indexed("url"), _links),
    "tco_urls_with_params": (_words, lambda text: [url for url, _, _ in _links(text)]),
    "hashtags": (_words, lambda text: [found.tag for found in extract(text).hashtags]),
    "hashtags_from_astral": (_words, lambda text: [found.tag for found in extract(text).hashtags]),
    "hashtags_with_indices": (
        _indexed("hashtag"),
        lambda text: [(found.tag, found.start, found.end) for found in extract(text).hashtags],
    ),
}


@cache
def _load(file: str) -> dict[str, list[dict[str, Any]]]:
    tests: dict[str, list[dict[str, Any]]] = yaml.safe_load((ROOT / DATA / file).read_text("utf-8"))["tests"]
    return tests


CASES = {
    (section, case["description"]): (expected(case), found, case["text"])
    for file, sections in (("validate.yml", VALIDATE), ("extract.yml", EXTRACT))
    for tests in [_load(file)]
    for section, (expected, found) in sections.items()
    for case in tests[section]
}

URL_CASES = {
    (section, case["description"]): (EXTRACT[section][0](case), case["text"])
    for tests in [_load("extract.yml")]
    for section in ("urls", "urls_with_indices", "urls_with_directional_markers", "tco_urls_with_params")
    for case in tests[section]
}


def _named(keys: Any) -> list[Any]:
    return [pytest.param(key, id=": ".join(key)) for key in keys]


@pytest.mark.parametrize("key", _named(key for key in CASES if key not in DEVIATIONS))
def test_the_case_holds(key: tuple[str, str]) -> None:
    expected, found, text = CASES[key]
    assert found(text) == expected


@pytest.mark.parametrize("key", _named(DEVIATIONS))
def test_the_deviation_still_deviates(key: tuple[str, str]) -> None:
    expected, found, text = CASES[key]
    assert found(text) != expected


@pytest.mark.parametrize("key", _named(URL_CASES))
def test_of_the_urls_those_with_a_protocol_are_entities(key: tuple[str, str]) -> None:
    expected, text = URL_CASES[key]
    urls = [found if isinstance(found, str) else found[0] for found in expected]
    found = extract(text).urls
    assert [url.url for url in found] == [url for url in urls if url.startswith(("http://", "https://"))]
    assert all(text[url.start : url.end] == url.url for url in found)


def test_a_text_that_only_deviates_in_its_direction_weighs_the_same() -> None:
    (case,) = [
        case
        for case in _load("validate.yml")["UnicodeDirectionalMarkerCounterTest"]
        if case["description"] == "Tweet text containing directional characters should be considered valid"
    ]
    assert weigh(case["text"]) == case["expected"]["weightedLength"]


def test_no_case_is_hidden_by_another_of_the_same_name() -> None:
    files = {"validate.yml": VALIDATE, "extract.yml": EXTRACT}
    counts = [len(_load(file)[section]) for file, sections in files.items() for section in sections]
    assert len(CASES) == sum(counts)


def test_the_weights_are_those_of_the_third_configuration() -> None:
    config = json.loads((ROOT / DATA / "v3.json").read_text("utf-8"))
    scale = config["scale"]
    ranges = [(span["start"], span["end"]) for span in config["ranges"]]
    assert config["maxWeightedTweetLength"] == weighing.LIMIT
    assert config["transformedURLLength"] == weighing.URL_WEIGHT
    assert config["defaultWeight"] == weighing.EMOJI_WEIGHT * scale
    assert {span["weight"] for span in config["ranges"]} == {scale}
    assert tuple(ranges) == weighing.LIGHT_RANGES
