"""Search and recommendations over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from accounts_service import MINUTE, Service, StandingClock, bearer, problem, registered

Json = dict[str, Any]


class People:
    """Accounts that post, follow and look for each other."""

    def __init__(self, http: httpx.AsyncClient, service: Service, clock: StandingClock) -> None:
        self.http = http
        self.service = service
        self.clock = clock
        self.headers: dict[str, dict[str, str]] = {}

    async def join(self, *usernames: str, display_name: str = "Somebody") -> None:
        for username in usernames:
            email = f"{username}@example.org"
            tokens = await registered(self.http, username=username, email=email, display_name=display_name)
            self.headers[username] = bearer(tokens)

    async def do(self, by: str, method: str, path: str, json: Json | None = None) -> Json:
        self.clock.forward(MINUTE)
        answer = await self.http.request(method, path, json=json, headers=self.headers[by])
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else {}

    async def post(self, by: str, text: str) -> str:
        return str((await self.do(by, "POST", "/tweets", {"text": text}))["id"])

    async def get(self, path: str, by: str | None = None, **parameters: Any) -> httpx.Response:
        await self.service.views.project()
        return await self.http.get(path, params=parameters, headers=self.headers.get(by or "", {}))

    async def all(self, path: str, by: str | None = None, **parameters: Any) -> list[Json]:
        """Every item of a list, read page by page."""
        items: list[Json] = []
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            answer = await self.get(path, by, **parameters, **more)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    async def found(self, by: str | None = None, **parameters: Any) -> list[str]:
        return [item["id"] for item in await self.all("/search/tweets", by, **parameters)]


@pytest.fixture
async def people(http: httpx.AsyncClient, service: Service, clock: StandingClock) -> People:
    made = People(http, service, clock)
    await made.join("ada", "bob", "cyd")
    return made


async def test_words_phrases_tags_mentions_and_authors_are_found_newest_first(people: People) -> None:
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


async def test_a_search_is_bounded_by_times(people: People) -> None:
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
async def test_a_search_for_nothing_in_particular_is_refused_with_a_reason(people: People, q: str, said: str) -> None:
    answer = await people.get("/search/tweets", q=q)

    assert (answer.status_code, problem(answer)) == (422, "invalid-value")
    (error,) = answer.json()["errors"]
    assert error["field"] == "q"
    assert said in error["message"]


async def test_best_first_goes_by_what_others_did_and_pages_do_not_shift(people: People) -> None:
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


async def test_a_cursor_holds_for_its_own_search_only(people: People) -> None:
    for _ in range(2):
        await people.post("ada", "late late\nagain")
    cursor = (await people.get("/search/tweets", q="late\nlate", limit=1)).json()["next_cursor"]

    assert len((await people.get("/search/tweets", q="late\nlate", limit=1, cursor=cursor)).json()["items"]) == 1
    for other in ({"q": "again"}, {"q": "late\nlate", "sort": "best"}, {"q": "late\nlate", "from": "ada"}):
        assert problem(await people.get("/search/tweets", cursor=cursor, **other)) == "bad-cursor"


async def test_deleted_edited_blocked_and_muted_tweets(people: People) -> None:
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


async def test_users_are_found_by_prefix_and_by_nearly_the_name_and_not_past_a_block(people: People) -> None:
    await people.join("alice", display_name="Countess")
    for q in ("ali", "@Alice", "alixe", "count", "contess"):
        assert [user["username"] for user in await people.all("/search/users", q=q, limit=1)] == ["alice"], q
    assert await people.all("/search/users", q="zzz") == []
    assert (await people.get("/search/users")).status_code == 422

    await people.do("alice", "POST", "/users/bob/block")
    assert await people.all("/search/users", "bob", q="alice") == []
    (found,) = await people.all("/search/users", "cyd", q="alice")
    assert found["viewer"] == {"following": False, "followed_by": False, "blocking": False, "muting": False}


async def test_hashtags_are_found_with_their_uses(people: People) -> None:
    for text in ("#delay", "#Delay #delta", "#other"):
        await people.post("ada", text)

    assert await people.all("/search/hashtags", q="#de", limit=1) == [
        {"tag": "delay", "tweets_count": 2},
        {"tag": "delta", "tweets_count": 1},
    ]
    assert [found["tag"] for found in await people.all("/search/hashtags", q="othar")] == ["other"]


async def test_recommendations_leave_out_whom_one_follows_mutes_or_is_blocked_by(people: People) -> None:
    await people.join("dan", "eve", "fay")
    for follower, followee in (("ada", "bob"), ("bob", "cyd"), ("bob", "dan"), ("bob", "eve"), ("cyd", "fay")):
        await people.do(follower, "POST", f"/users/{followee}/follow")
    await people.do("ada", "POST", "/users/dan/mute")
    await people.do("eve", "POST", "/users/ada/block")

    found = await people.all("/users/recommendations", "ada", limit=1)
    assert [user["username"] for user in found] == ["cyd", "fay"]
    assert (await people.get("/users/recommendations")).status_code == 401
