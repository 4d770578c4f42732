"""GET /trends, /trends/{tag}/history and /sentiment, as a client sees them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from events.ids import Millis
from rest.times import rfc3339
from tests.scenarios.people import Person
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import BOB, Json, Service, StandingClock, bearer, problem, registered

pytestmark = both_profiles

HOUR = 3_600_000


async def post(http: httpx.AsyncClient, who: Json, text: str) -> str:
    answer = await http.post("/tweets", json={"text": text}, headers=bearer(who))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def get(http: httpx.AsyncClient, path: str, **parameters: str) -> Json:
    answer = await http.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
async def told(service: Service, http: httpx.AsyncClient, clock: StandingClock) -> dict[str, str]:
    """Ada and Bob tweet about #Museum, Ada twice about #delay, an hour later Eve about #museum; when it was."""
    clock.now = Millis(clock.now // HOUR * HOUR + HOUR)
    ada, bob = await registered(http), await registered(http, **BOB)
    began = clock.now
    await post(http, ada, "A lovely #Museum @JetBlue")
    clock.forward(1000)
    last = await post(http, bob, "awful #Museum, @jetblue")
    await post(http, ada, "awful #delay")
    clock.forward(1000)
    await post(http, ada, "awful #delay again")
    clock.forward(HOUR)
    eve = await registered(http, username="eve", email="eve@example.org")
    await post(http, eve, "lovely #museum")
    newest = clock.now
    clock.forward(1000)
    await service.project()
    return {"began": rfc3339(began), "then": rfc3339(began + HOUR), "newest": rfc3339(newest), "sample": last}


async def test_trends_end_now_unless_a_moment_is_given(
    http: httpx.AsyncClient, clock: StandingClock, told: dict[str, str]
) -> None:
    now = await get(http, "/trends")
    then = await get(http, "/trends", at=told["then"], window="1h")

    assert {key: now[key] for key in ("as_of", "window", "start", "end")} == {
        "as_of": told["newest"],
        "window": "24h",
        "start": rfc3339(clock.now - 24 * HOUR),
        "end": rfc3339(clock.now),
    }
    assert [(t["tag"], t["count"], t["authors"]) for t in now["items"]] == [("Museum", 3, 3), ("delay", 2, 1)]
    assert (then["start"], then["end"]) == (told["began"], told["then"])
    museum, delay = then["items"]
    assert museum == {
        "tag": "Museum",
        "count": 2,
        "authors": 2,
        "expected": 1.0,
        "score": 0.367,
        "sample": told["sample"],
    }
    assert (delay["count"], delay["authors"], delay["score"]) == (2, 1, 0.103)


async def test_the_history_of_a_tag_has_a_point_for_each_step(http: httpx.AsyncClient, told: dict[str, str]) -> None:
    history = await get(http, "/trends/%23MUSEUM/history")
    day = await get(http, "/trends/museum/history", step="1d", **{"from": told["began"], "to": told["newest"]})

    assert (history["tag"], history["step"], history["as_of"]) == ("Museum", "1h", told["newest"])
    assert len(history["items"]) == 24
    assert history["items"][-2:] == [
        {"start": told["began"], "count": 2, "authors": 2},
        {"start": told["then"], "count": 1, "authors": 1},
    ]
    assert [(point["count"], point["authors"]) for point in day["items"]] == [(3, 3)]


async def test_sentiment_is_told_by_tag_by_mention_and_by_author(http: httpx.AsyncClient, told: dict[str, str]) -> None:
    for about in ({"tag": "#museum"}, {"mention": "JetBlue"}, {"author": "BOB"}):
        series = await get(http, "/sentiment", **about, **{"from": told["began"], "to": told["then"]})
        assert series["as_of"] == told["newest"]
        [first] = series["items"]
        assert first["start"] == told["began"]
        assert first["count"] == first["positive"] + first["neutral"] + first["negative"]
        assert (first["count"], first["negative"]) == ((1, 1) if "author" in about else (2, 1))
    quiet = await get(http, "/sentiment", tag="nothing")
    assert quiet["items"][0] == {
        "start": quiet["items"][0]["start"],
        "count": 0,
        "positive": 0,
        "neutral": 0,
        "negative": 0,
        "mean": None,
    }


async def test_a_tweet_shows_its_sentiment(http: httpx.AsyncClient, told: dict[str, str]) -> None:
    assert (await get(http, f"/tweets/{told['sample']}"))["sentiment"] == {"label": "negative", "score": -0.4588}


async def test_without_any_tweet_there_is_nothing_as_of_never(http: httpx.AsyncClient) -> None:
    assert (await get(http, "/trends"))["items"] == []
    assert (await get(http, "/trends"))["as_of"] is None
    assert (await get(http, "/trends/x/history"))["as_of"] is None


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/trends?window=2h", "window"),
        ("/trends?at=yesterday", "at"),
        ("/trends?at=2015-02-20T23:59:00", "at"),
        ("/trends?at=1969-12-31T23:59:59Z", "at"),
        ("/trends?at=9999-12-31T23:59:59Z", "at"),
        ("/trends?place=Vienna", "place"),
        ("/trends/x/history?step=5m", "step"),
        ("/trends/x/history?from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", "from"),
        ("/trends/x/history?from=2015-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", "step"),
        ("/sentiment", "tag"),
        ("/sentiment?tag=a&mention=b", "tag"),
        ("/sentiment?tag=a&step=1w", "step"),
        ("/sentiment?tag=a&from=soon", "from"),
        ("/sentiment?tag=a&until=2015-01-01T00:00:00Z", "until"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(http: httpx.AsyncClient, path: str, field: str) -> None:
    answer = await http.get(path)

    assert (answer.status_code, problem(answer)) == (422, "invalid-value")
    assert answer.json()["errors"][0]["field"] == field


async def test_the_ends_of_time_are_answered(http: httpx.AsyncClient) -> None:
    assert (await get(http, "/trends", at="1970-01-01T00:00:00Z"))["items"] == []
    assert (await get(http, "/sentiment", tag="a", to="1970-01-01T00:00:00Z"))["items"] == []
    assert len((await get(http, "/sentiment", tag="a", to="9998-12-31T23:59:59Z", step="1d"))["items"]) == 24


async def test_the_sentiment_of_an_account_that_blocks_you_is_not_found(ada: Person, bob: Person) -> None:
    assert (await bob.get("/sentiment?author=ada")).status_code == 200
    await ada.do("POST", "/users/bob/block")
    answer = await bob.after(ada).get("/sentiment?author=ada")
    assert (answer.status_code, problem(answer)) == (404, "not-found")
    assert (await ada.get("/sentiment?author=bob")).status_code == 200


async def test_what_others_write_of_a_name_is_told_past_a_block_as_the_search_finds_it(
    ada: Person, bob: Person, cyd: Person
) -> None:
    await bob.do("POST", "/users/ada/block")
    tweet = await cyd.post("@bob is wonderful")
    ada.after(bob, cyd)
    found = (await ada.read("/search/tweets", q="@bob"))["items"]
    assert [one["id"] for one in found] == [tweet["id"]]
    told = await ada.read("/sentiment", mention="bob")
    assert told == await cyd.read("/sentiment", mention="bob")
    assert sum(step["count"] for step in told["items"]) == 1


async def test_the_sentiment_of_nobody_is_not_found(http: httpx.AsyncClient) -> None:
    answer = await http.get("/sentiment?author=nobody")

    assert (answer.status_code, problem(answer)) == (404, "not-found")
