"""Pages: bounds of `limit`, cursors, and no repeated or skipped items while items arrive."""

from __future__ import annotations

import base64
import re
from typing import Any

import httpx
import pytest

from tests.scenarios.people import Json, Person, join, texts
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import MINUTE, StandingClock, problem

pytestmark = both_profiles

LISTS = [
    "/feed",
    "/public",
    "/hashtags/page/tweets",
    "/users/ada/tweets",
    "/users/ada/likes",
    "/users/ada/followers",
    "/users/bob/following",
    "/users/me/blocks",
    "/users/me/mutes",
    "/users/recommendations",
    "/bookmarks",
    "/notifications",
    "/auth/sessions",
    "/search/tweets?q=page",
    "/search/users?q=a",
    "/search/hashtags?q=p",
]


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"rate_limits": {"tweets_burst": 1000}}


@pytest.fixture
async def tweets(ada: Person, bob: Person, clock: StandingClock) -> list[str]:
    """Return seven tweets of Ada, whom Bob follows; newest first."""
    await bob.follow(ada)
    posted = []
    for n in range(7):
        clock.forward(1000)
        posted.append((await ada.post(f"#page {n}"))["id"])
    bob.after(ada)
    return posted[::-1]


async def test_a_page_has_20_items_unless_1_to_100_are_asked_for(ada: Person) -> None:
    for n in range(30):
        await ada.post(f"tweet {n}")
    assert len((await ada.read("/public"))["items"]) == 20
    for path in ("/public", "/feed"):
        for limit, there in ((1, 1), (29, 29), (30, 30), (100, 30)):
            assert len((await ada.read(path, limit=limit))["items"]) == there


async def test_every_list_refuses_other_limits_and_foreign_cursors(ada: Person, tweets: list[str]) -> None:
    foreign = (await ada.read(f"/users/{ada.name}/tweets", limit=1, replies=True))["next_cursor"]
    for path in (*LISTS, f"/tweets/{tweets[0]}/likes", f"/tweets/{tweets[0]}/conversation"):
        and_ = "&" if "?" in path else "?"
        for limit in ("0", "101", "-1", "all", "1.5", "", "99999999999999999999"):
            answer = await ada.get(f"{path}{and_}limit={limit}")
            assert (answer.status_code, problem(answer)) == (422, "invalid-value"), (path, limit)
            assert [error["field"] for error in answer.json()["errors"]] == ["limit"]
        for cursor in ("nonsense", "", "\u00e9", foreign, foreign[:-2], ada.written[-1]):
            answer = await ada.get(f"{path}{and_}cursor={cursor}")
            assert (answer.status_code, problem(answer)) == (400, "bad-cursor"), (path, cursor)


async def test_a_list_read_page_by_page_is_the_list(bob: Person, tweets: list[str]) -> None:
    for path in ("/feed", "/public", "/hashtags/page/tweets", "/users/ada/tweets", "/search/tweets?q=page"):
        for limit in (1, 2, 3, 7, 8):
            found = []
            answer = await bob.get(f"{path}{'&' if '?' in path else '?'}limit={limit}")
            while True:
                page = answer.json()
                assert len(page["items"]) <= limit
                found += [item.get("tweet", item)["id"] for item in page["items"]]
                assert (page["next_cursor"] is None) == ("link" not in answer.headers)
                if page["next_cursor"] is None:
                    break
                answer = await bob.get(following(answer))
            assert found == tweets, (path, limit)


def following(answer: httpx.Response) -> str:
    """Return the address of the next page in `Link`."""
    link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers["link"])
    assert link
    assert link[1].startswith("/api/v1/")  # relative: the host of an absolute one would be the client's own text
    asked = answer.request.url
    wanted = asked.join(link[1])
    assert wanted.path == asked.path
    assert wanted.params["cursor"] == answer.json()["next_cursor"]
    assert wanted.params.remove("cursor") == asked.params.remove("cursor")
    return str(wanted)


@pytest.mark.parametrize("tag", ["Zürich", "日本", "été_2015", "ওয়েব"])
async def test_the_link_of_a_list_in_any_script_can_be_followed(ada: Person, tag: str) -> None:
    """A header can hold only ASCII, so the address in it is encoded."""
    for n in range(2):
        await ada.post(f"{n} #{tag}")
    answer = await ada.get(f"/hashtags/{tag}/tweets?limit=1")
    assert answer.status_code == 200
    answer = await ada.get(following(answer))
    assert texts(answer.json()["items"]) == [f"0 #{tag}"]


async def test_nothing_is_repeated_or_skipped_while_items_arrive(
    ada: Person, bob: Person, tweets: list[str], clock: StandingClock
) -> None:
    paths: list[tuple[str, dict[str, str]]] = [
        (path, {}) for path in ("/feed", "/public", "/hashtags/page/tweets", "/users/ada/tweets")
    ]
    for path, params in [*paths, ("/search/tweets", {"q": "page"})]:
        before = [item.get("tweet", item)["id"] for item in await bob.items(path, limit=100, **params)]
        found: list[str] = []
        cursor: Json = {}
        while cursor.get("cursor", "") is not None:
            page = await bob.read(path, limit=2, **params, **cursor)
            cursor = {"cursor": page["next_cursor"]}
            found += [item.get("tweet", item)["id"] for item in page["items"]]
            clock.forward(1000)
            await ada.post("#page arrived meanwhile")
            bob.after(ada)
        assert found == before, path


async def test_deleted_and_hidden_items_are_left_out_of_any_page(ada: Person, bob: Person, tweets: list[str]) -> None:
    for tweet in tweets[2:5]:
        await ada.do("DELETE", f"/tweets/{tweet}")
    bob.after(ada)
    left = [*tweets[:2], *tweets[5:]]
    assert [item["tweet"]["id"] for item in await bob.items("/feed", limit=2)] == left
    assert [item["id"] for item in await bob.items("/public", limit=1)] == left
    await bob.do("POST", "/users/ada/mute")
    assert await bob.items("/feed", limit=2) == []
    assert await bob.items("/public", limit=2) == []


async def test_a_cursor_outlives_the_tweet_that_it_stands_on(ada: Person, bob: Person, tweets: list[str]) -> None:
    page = await bob.read("/feed", limit=3)
    await ada.do("DELETE", f"/tweets/{tweets[2]}")
    bob.after(ada)
    rest = await bob.read("/feed", limit=100, cursor=page["next_cursor"])
    assert [item["tweet"]["id"] for item in rest["items"]] == tweets[3:]


async def test_a_cursor_is_opaque_and_of_its_owner_only(ada: Person, bob: Person, tweets: list[str]) -> None:
    cursor = (await bob.read("/feed", limit=2))["next_cursor"]
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    other = await ada.get("/feed", cursor=cursor)
    assert (other.status_code, problem(other)) == (400, "bad-cursor")
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for n in range(len(raw)):
        forged = raw.copy()
        forged[n] ^= 1
        answer = await bob.get("/feed", cursor=base64.urlsafe_b64encode(forged).decode().rstrip("="))
        assert (answer.status_code, problem(answer)) == (400, "bad-cursor"), n


async def test_people_are_paged_alike(
    ada: Person, bob: Person, http: httpx.AsyncClient, tweets: list[str], clock: StandingClock
) -> None:
    fans = [await join(http, f"fan{n}") for n in range(5)]
    for fan in fans:
        clock.forward(1000)
        await fan.follow(ada)
        await fan.do("POST", f"/tweets/{tweets[0]}/like")
        await fan.do("POST", f"/tweets/{tweets[0]}/retweet")
        ada.after(fan)
    names = [fan.name for fan in fans[::-1]]
    for path, extra in (
        ("/users/ada/followers", ["bob"]),
        (f"/tweets/{tweets[0]}/likes", []),
        (f"/tweets/{tweets[0]}/retweets", []),
    ):
        for limit in (1, 2, 5, 100):
            assert [user["username"] for user in await ada.items(path, limit=limit)] == names + extra
    assert texts(await ada.items("/users/fan3/likes")) == ["#page 6"]
    clock.forward(MINUTE)
    assert [item["count"] for item in await ada.items("/notifications", limit=1, kind="like")] == [5]


async def test_a_link_of_a_tag_in_any_script_can_be_followed(ada: Person) -> None:
    for n in range(3):
        await ada.post(f"#d\u00e9j\u00e0vu {n}")
    first = await ada.get("/hashtags/d%C3%A9j%C3%A0vu/tweets?limit=2")
    rest = await ada.get(following(first))
    assert texts(first.json()["items"] + rest.json()["items"]) == [f"#d\u00e9j\u00e0vu {n}" for n in (2, 1, 0)]
