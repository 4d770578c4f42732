"""Notifications over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.scenarios.crowd import Crowd
from tests.scenarios.people import Json
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import Service, StandingClock, problem

pytestmark = both_profiles


@pytest.fixture
async def people(http: httpx.AsyncClient, service: Service, clock: StandingClock) -> Crowd:
    made = Crowd(http, service, clock)
    await made.join("ada", "bob", "cyd")
    return made


async def unread(people: Crowd, by: str) -> int:
    body: Json = (await people.get("/notifications/unread-count", by)).json()
    assert body["count"] == sum(not item["read"] for item in await people.all("/notifications", by, limit=1))
    return int(body["count"])


async def test_what_others_did_is_shown_with_them_and_the_tweet_and_likes_of_one_tweet_together(
    people: Crowd,
) -> None:
    tweet = await people.post("ada", "hello")
    await people.do("bob", "POST", f"/tweets/{tweet}/like")
    await people.do("bob", "POST", "/users/ada/follow")
    reply = (await people.do("cyd", "POST", "/tweets", {"text": "hi @ada", "reply_to": tweet}))["id"]
    await people.do("cyd", "POST", f"/tweets/{tweet}/like")

    items = await people.all("/notifications", "ada", limit=2)
    said = [
        (item["kind"], [actor["username"] for actor in item["actors"]], item["count"], (item["tweet"] or {}).get("id"))
        for item in items
    ]
    assert said == [("like", ["cyd", "bob"], 2, tweet), ("reply", ["cyd"], 1, reply), ("follow", ["bob"], 1, None)]
    assert items[0]["tweet"]["viewer"] == {"liked": False, "retweeted": False, "bookmarked": False}
    assert items[0]["at"] > items[1]["at"] > items[2]["at"]
    assert [item["kind"] for item in await people.all("/notifications", "ada", kind="reply")] == ["reply"]
    assert await unread(people, "ada") == 3
    assert await people.all("/notifications", "bob") == []


async def test_reading_one_and_reading_all_up_to_one(people: Crowd) -> None:
    tweets = [await people.post("ada", f"hello {n}") for n in range(3)]
    for tweet in tweets:
        await people.do("bob", "POST", f"/tweets/{tweet}/retweet")
    newest, middle, oldest = (item["id"] for item in await people.all("/notifications", "ada"))

    await people.do("ada", "POST", f"/notifications/{oldest}/read")
    assert await unread(people, "ada") == 2
    await people.do("ada", "POST", "/notifications/read", {"up_to": middle})
    assert await unread(people, "ada") == 1
    assert [item["read"] for item in await people.all("/notifications", "ada")] == [False, True, True]
    await people.do("ada", "POST", "/notifications/read", {"up_to": newest})
    assert await unread(people, "ada") == 0


async def test_what_is_taken_back_hidden_or_deleted_is_not_shown_and_not_counted(people: Crowd) -> None:
    liked, deleted = await people.post("ada", "hello"), await people.post("ada", "bye")
    for tweet in (liked, deleted):
        await people.do("bob", "POST", f"/tweets/{tweet}/like")
    await people.do("cyd", "POST", "/users/ada/follow")
    assert await unread(people, "ada") == 3

    await people.do("bob", "DELETE", f"/tweets/{liked}/like")
    await people.do("ada", "DELETE", f"/tweets/{deleted}")
    await people.do("ada", "POST", "/users/cyd/mute")
    assert await unread(people, "ada") == 0
    assert await people.all("/notifications", "ada") == []


async def test_notifications_are_for_who_is_signed_in_and_of_kinds_that_there_are(people: Crowd) -> None:
    for path in ("/notifications", "/notifications/unread-count"):
        assert (await people.get(path)).status_code == 401
    assert problem(await people.get("/notifications", "ada", kind="poke")) == "invalid-value"
