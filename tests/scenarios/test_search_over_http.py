"""Search and recommendations over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.scenarios.crowd import Crowd
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import Service, StandingClock, problem

pytestmark = both_profiles


@pytest.fixture
async def people(http: httpx.AsyncClient, service: Service, clock: StandingClock) -> Crowd:
    made = Crowd(http, service, clock)
    await made.join("ada", "bob", "cyd")
    return made


async def test_words_phrases_tags_mentions_and_authors_are_found_newest_first(people: Crowd) -> None:
    first = await people.post("ada", "My flight is late again #Delay @bob")
    second = await people.post("bob", "A late flight, @ada: Café closed")

    for query, expected in {
        "late flight": [second, first],
        '"late flight"': [second],
        "late -again": [second],
        "#delay": [first],
        "@ADA late": [second],
        "late from:ada": [first],
        "late -from:@ada": [second],
        "CAFE": [second],
        "from:nobody_here late": [],
        "late -from:nobody_here": [second, first],
        "nothing": [],
    }.items():
        assert await people.found(q=query, limit=1) == expected, query
    assert await people.found(**{"q": "late", "from": "bob"}) == [second]
    assert await people.found(**{"from": "@bob"}) == [second]


async def test_a_search_is_bounded_by_times(people: Crowd) -> None:
    first, second = await people.post("ada", "late"), await people.post("ada", "late")
    shown = await people.all("/search/tweets", q="late")
    at = shown[0]["created_at"]

    assert await people.found(q="late", since=at) == [second]
    assert await people.found(q="late", until=at) == [first]
    assert problem(await people.get("/search/tweets", q="late", since="yesterday")) == "invalid-value"


@pytest.mark.parametrize(
    ("q", "said"),
    [("-late", "add a word"), ("!!!", "no word"), ("", "no word"), ("late from: ada", "name of an account")],
)
async def test_a_search_for_nothing_in_particular_is_refused_with_a_reason(people: Crowd, q: str, said: str) -> None:
    answer = await people.get("/search/tweets", q=q)

    assert (answer.status_code, problem(answer)) == (422, "invalid-value")
    (error,) = answer.json()["errors"]
    assert error["field"] == "q"
    assert said in error["message"]


async def test_best_first_goes_by_what_others_did_and_pages_do_not_shift(people: Crowd) -> None:
    plain = await people.post("ada", "late")
    liked = await people.post("ada", "late")
    retweeted = await people.post("ada", "late")
    newest = await people.post("ada", "late")
    for by in ("bob", "cyd"):
        await people.do(by, "POST", f"/tweets/{liked}/like")
        await people.do(by, "POST", f"/tweets/{retweeted}/retweet")
    best = [retweeted, liked, newest, plain]
    assert await people.found(q="late", sort="best") == await people.found(q="late", sort="best", limit=1) == best

    first = (await people.get("/search/tweets", q="late", sort="best", limit=2)).json()
    later = await people.post("ada", "late")
    rest = (await people.get("/search/tweets", q="late", sort="best", limit=9, cursor=first["next_cursor"])).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == best
    assert later in await people.found(q="late", sort="best")


async def test_a_cursor_holds_for_its_own_search_only(people: Crowd) -> None:
    for _ in range(2):
        await people.post("ada", "late late\nagain")
    cursor = (await people.get("/search/tweets", q="late\nlate", limit=1)).json()["next_cursor"]

    assert len((await people.get("/search/tweets", q="late\nlate", limit=1, cursor=cursor)).json()["items"]) == 1
    for other in ({"q": "again"}, {"q": "late\nlate", "sort": "best"}, {"q": "late\nlate", "from": "ada"}):
        assert problem(await people.get("/search/tweets", cursor=cursor, **other)) == "bad-cursor"


async def test_deleted_edited_blocked_and_muted_tweets(people: Crowd) -> None:
    gone, changed = await people.post("ada", "late"), await people.post("ada", "late")
    await people.do("ada", "DELETE", f"/tweets/{gone}")
    await people.do("ada", "PATCH", f"/tweets/{changed}", {"text": "early"})
    kept = await people.post("ada", "late")
    assert await people.found(q="late") == [kept]
    assert await people.found(q="early") == [changed]

    await people.do("bob", "POST", "/users/ada/mute")
    assert await people.found("bob", q="late") == []
    assert await people.found("bob", q="late from:ada") == [kept]

    await people.do("ada", "POST", "/users/cyd/block")
    assert await people.found("cyd", q="late") == await people.found("cyd", q="late from:ada") == []
    assert await people.found("ada", q="late") == [kept]


async def test_users_are_found_by_prefix_and_by_nearly_the_name_and_not_past_a_block(people: Crowd) -> None:
    await people.join("alice")
    await people.do("alice", "PATCH", "/users/me", {"display_name": "Countess"})
    for q in ("ali", "@Alice", "alixe", "count", "contess"):
        assert [user["username"] for user in await people.all("/search/users", q=q, limit=1)] == ["alice"], q
    assert await people.all("/search/users", q="zzz") == []
    assert (await people.get("/search/users")).status_code == 422

    await people.do("alice", "POST", "/users/bob/block")
    assert await people.all("/search/users", "bob", q="alice") == []
    (found,) = await people.all("/search/users", "cyd", q="alice")
    assert found["viewer"] == {"following": False, "followed_by": False, "blocking": False, "muting": False}


async def test_hashtags_are_found_with_their_uses(people: Crowd) -> None:
    for text in ("#delay", "#Delay #delta", "#other"):
        await people.post("ada", text)

    assert await people.all("/search/hashtags", q="#de", limit=1) == [
        {"tag": "Delay", "tweets_count": 2},
        {"tag": "delta", "tweets_count": 1},
    ]
    assert [found["tag"] for found in await people.all("/search/hashtags", q="othar")] == ["other"]


async def test_hashtags_are_shown_as_they_are_mostly_written(people: Crowd) -> None:
    spellings = ("か゛く", "日本～語", "ﷺ", "NorthernLights", "Straße")
    for tag in spellings:
        await people.post("ada", f"#{tag}")
    for text in ("#northernlights", "#NorthernLights"):
        await people.post("bob", text)

    for tag, uses in zip(spellings, (1, 1, 1, 3, 1), strict=True):
        (found,) = await people.all("/search/hashtags", q=tag)
        assert found == {"tag": tag, "tweets_count": uses}
        history = await people.get(f"/trends/{tag}/history")
        assert history.json()["tag"] == tag


async def test_recommendations_leave_out_whom_one_follows_mutes_or_is_blocked_by(people: Crowd) -> None:
    await people.join("dan", "eve", "fay")
    for follower, followee in (("ada", "bob"), ("bob", "cyd"), ("bob", "dan"), ("bob", "eve"), ("cyd", "fay")):
        await people.do(follower, "POST", f"/users/{followee}/follow")
    await people.do("ada", "POST", "/users/dan/mute")
    await people.do("eve", "POST", "/users/ada/block")

    found = await people.all("/users/recommendations", "ada", limit=1)
    assert [user["username"] for user in found] == ["cyd", "fay"]
    assert (await people.get("/users/recommendations")).status_code == 401
