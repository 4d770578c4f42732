"""Profiles and the graph over HTTP: following, blocking, muting, and their effects on lists."""

from __future__ import annotations

import httpx

from rest.times import rfc3339
from tests.scenarios.people import Person, join, texts
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import START, Service, StandingClock, problem

pytestmark = both_profiles

LISTS = ("/feed", "/public", "/hashtags/hello/tweets", "/search/tweets?q=hello")


async def names(person: Person, path: str) -> list[str]:
    return [user["username"] for user in await person.items(path)]


async def test_a_profile_is_changed_field_by_field_and_shown_to_everyone(
    http: httpx.AsyncClient, ada: Person, bob: Person
) -> None:
    profile = {
        "display_name": "Ada L.",
        "bio": "Writes programs\nfor engines.",
        "location": "London",
        "website": "https://example.org",
        "feed": "latest",
    }
    for field, value in profile.items():
        answer = await ada.do("PATCH", "/users/me", {field: value})
        assert (answer.status_code, answer.content) == (204, b"")
    me = await ada.read("/users/me")
    assert {field: me[field] for field in profile} == profile
    assert (me["viewer"], me["role"], me["verified"], me["created_at"]) == (None, "user", False, rfc3339(START))
    seen = await bob.after(ada).read("/users/ADA")
    assert "feed" not in seen
    assert {field: seen[field] for field in ("display_name", "bio", "id")} == {
        field: me[field] for field in ("display_name", "bio", "id")
    }
    assert seen["viewer"] == {"following": False, "followed_by": False, "blocking": False, "muting": False}
    anonymous = (await http.get("/users/ada")).json()
    assert anonymous == seen | {"viewer": None}
    tweet = await ada.post("hello")
    assert (await bob.after(ada).read(f"/tweets/{tweet['id']}"))["author"]["display_name"] == "Ada L."


async def test_a_profile_that_could_not_be_shown_is_refused(ada: Person) -> None:
    for field, value in (
        ("display_name", ""),
        ("display_name", "x" * 51),
        ("display_name", "a\u202eb"),
        ("bio", "x" * 301),
        ("bio", "\u0000"),
        ("location", 3),
        ("website", "javascript:alert(1)"),
        ("website", "https://with space"),
        ("website", "https://user:pass@evil.example/"),
        ("website", "https://bank.example@evil.example"),
        ("website", "https://bank.example\\@evil.example/"),
        ("website", "https:///nowhere"),
        ("feed", "best"),
        ("username", "other"),
    ):
        answer = await ada.request("PATCH", "/users/me", json={field: value})
        assert (answer.status_code, problem(answer)) == (422, "invalid-value"), (field, value)
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_following_is_counted_and_shown_from_both_sides(ada: Person, bob: Person, cyd: Person) -> None:
    await bob.follow(ada)
    await cyd.follow(ada, bob)
    ada.after(bob, cyd)
    assert await names(ada, "/users/ada/followers") == ["cyd", "bob"]
    assert await names(ada, "/users/cyd/following") == ["bob", "ada"]
    profile = await bob.after(cyd).read("/users/cyd")
    assert (profile["followers_count"], profile["following_count"]) == (0, 2)
    assert (profile["viewer"]["following"], profile["viewer"]["followed_by"]) == (False, True)
    assert (await bob.read("/users/ada"))["viewer"]["following"] is True
    await cyd.do("DELETE", "/users/ada/follow")
    assert await names(ada.after(cyd), "/users/ada/followers") == ["bob"]
    assert (await ada.read("/users/ada"))["followers_count"] == 1


async def test_a_block_ends_following_both_ways_and_hides_each_from_the_other(
    ada: Person, bob: Person, cyd: Person
) -> None:
    await ada.follow(bob)
    await bob.follow(ada)
    of_ada, of_bob = (await ada.post("hello #hello"))["id"], (await bob.post("hello #hello"))["id"]
    reply = (await cyd.post("hello @ada @bob", reply_to=of_ada))["id"]
    await ada.do("POST", "/users/bob/block")
    ada.after(bob, cyd)
    bob.after(ada, cyd)
    for who, other in ((ada, "bob"), (bob, "ada")):
        assert await names(who, f"/users/{who.name}/followers") == []
        for path in LISTS:
            found = [item.get("tweet", item)["author"]["username"] for item in (await who.read(path))["items"]]
            assert other not in found, path
    assert (await bob.get("/users/ada")).status_code == 404
    for path in (f"/tweets/{of_ada}", f"/tweets/{of_ada}/likes", "/users/ada/tweets", "/users/ada/followers"):
        assert (await bob.get(path)).status_code == 404, path
    assert (await ada.get(f"/tweets/{of_bob}")).status_code == 404
    for path in (f"/tweets/{of_ada}/like", f"/tweets/{of_ada}/retweet", f"/tweets/{of_ada}/bookmark"):
        assert (await bob.request("POST", path)).status_code == 404, path
    for field in ("reply_to", "quote_of"):
        assert (await bob.request("POST", "/tweets", json={"text": "x", field: of_ada})).status_code == 404
    followed = await bob.request("POST", "/users/ada/follow")
    assert (followed.status_code, problem(followed)) == (403, "blocked")
    mine = await ada.read("/users/bob")
    assert (mine["viewer"]["blocking"], mine["viewer"]["following"]) == (True, False)
    assert await ada.items("/users/bob/tweets") == []
    assert await names(ada, "/users/me/blocks") == ["bob"]
    assert texts([(await bob.read(f"/tweets/{reply}/conversation"))["tweet"]]) == ["hello @ada @bob"]
    assert (await bob.read(f"/tweets/{reply}/conversation"))["ancestors"] == []


async def test_lifting_a_block_shows_each_to_the_other_again_but_mends_no_follow(ada: Person, bob: Person) -> None:
    await ada.follow(bob)
    tweet = (await bob.post("hello"))["id"]
    await ada.do("POST", "/users/bob/block")
    await ada.do("DELETE", "/users/bob/block")
    ada.after(bob)
    bob.after(ada)
    assert (await ada.read(f"/tweets/{tweet}"))["text"] == "hello"
    assert (await bob.read("/users/ada"))["viewer"]["followed_by"] is False
    assert (await ada.read("/feed"))["items"] == []
    assert await names(ada, "/users/me/blocks") == []


async def test_muting_leaves_out_what_is_put_before_you_and_nothing_that_you_ask_for(
    ada: Person, bob: Person, cyd: Person, service: Service
) -> None:
    await ada.follow(bob, cyd)
    tweet = (await bob.post("hello #hello"))["id"]
    await cyd.after(bob).do("POST", f"/tweets/{tweet}/retweet")
    await ada.do("POST", "/users/bob/mute")
    ada.after(bob, cyd)
    for path in LISTS:
        assert (await ada.read(path))["items"] == [], path
    assert (await ada.read(f"/tweets/{tweet}"))["text"] == "hello #hello"
    assert texts(await ada.items("/users/bob/tweets")) == ["hello #hello"]
    assert (await ada.read("/users/bob"))["viewer"] == {
        "following": True,
        "followed_by": False,
        "blocking": False,
        "muting": True,
    }
    assert await names(ada, "/users/me/mutes") == ["bob"]
    told = await bob.after(ada).read("/users/ada")
    assert told["viewer"] == {"following": False, "followed_by": True, "blocking": False, "muting": False}
    await ada.do("DELETE", "/users/bob/mute")
    assert len((await ada.read("/feed"))["items"]) == 2


async def test_a_timeline_has_what_an_account_posted_and_passed_on(
    ada: Person, bob: Person, clock: StandingClock
) -> None:
    tweet = (await bob.post("of bob"))["id"]
    clock.forward(1000)
    await ada.post("of ada")
    clock.forward(1000)
    await ada.after(bob).do("POST", f"/tweets/{tweet}/retweet")
    clock.forward(1000)
    await ada.post("to bob", reply_to=tweet)
    timeline = (await bob.after(ada).read("/users/ada/tweets"))["items"]
    assert texts(timeline) == ["of bob", "of ada"]
    assert [item["reason"]["kind"] for item in timeline] == ["retweeted", "posted"]
    assert timeline[0]["reason"]["by"]["username"] == "ada"
    assert timeline[0]["reason"]["at"] == rfc3339(START + 2000)
    assert texts(await bob.items("/users/ada/tweets", replies=True)) == ["to bob", "of bob", "of ada"]
    assert texts(await bob.items("/users/ada/tweets", replies="false")) == ["of bob", "of ada"]


async def test_recommendations_are_friends_of_friends_and_never_someone_followed_or_hidden(
    http: httpx.AsyncClient, ada: Person, bob: Person, cyd: Person
) -> None:
    others = [await join(http, name) for name in ("dan", "eve", "fay", "gus")]
    dan, eve, fay, _ = others
    await ada.follow(bob, cyd)
    await bob.follow(dan, eve)
    await cyd.follow(dan, fay)
    await ada.do("POST", "/users/fay/mute")
    ada.after(bob, cyd, *others)
    found = await names(ada, "/users/recommendations")
    assert found[0] == "dan"
    assert "eve" in found
    assert not {"ada", "bob", "cyd", "fay"} & set(found)
    await eve.do("POST", "/users/ada/block")
    assert "eve" not in await names(ada.after(eve), "/users/recommendations")
