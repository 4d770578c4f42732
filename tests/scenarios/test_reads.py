"""Reading tweets, accounts and feeds over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.scenarios.people import Json, Person, join
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import MINUTE, StandingClock, problem

pytestmark = [pytest.mark.usefixtures("passing"), both_profiles]


@pytest.fixture
def passing(http: httpx.AsyncClient, clock: StandingClock) -> None:
    """Let time pass before each write, so that no rate limit is reached and later items have later times."""

    async def pass_on(request: httpx.Request) -> None:
        if request.method != "GET":
            clock.forward(MINUTE // 2)

    http.event_hooks["request"].insert(0, pass_on)


def ids(items: list[Json]) -> list[str]:
    return [item.get("tweet", item)["id"] for item in items]


def names(items: list[Json]) -> list[str]:
    return [item["username"] for item in items]


async def refused(person: Person, path: str, **params: Any) -> tuple[int, str]:
    answer = await person.get(path, **params)
    return answer.status_code, problem(answer)


# Accounts


async def test_a_profile_has_counters_and_says_how_the_viewer_stands_to_it(ada: Person, bob: Person) -> None:
    await ada.follow(bob)
    await bob.post("hello")

    seen = await ada.after(bob).read("/users/BOB")

    assert seen["id"] == bob.id
    assert (seen["followers_count"], seen["following_count"], seen["tweets_count"]) == (1, 0, 1)
    assert (seen["verified"], seen["role"]) == (False, "user")
    assert seen["viewer"] == {"following": True, "followed_by": False, "blocking": False, "muting": False}
    assert (await bob.after(ada).read("/users/bob"))["viewer"] is None


async def test_a_profile_is_public_and_an_unknown_one_is_not_found(http: httpx.AsyncClient, ada: Person) -> None:
    answer = await http.get("/users/ada", headers={"consistency-token": ada.token})
    assert (answer.status_code, answer.json()["viewer"]) == (200, None)

    assert problem(await http.get("/users/nobody")) == "not-found"


async def test_a_name_in_other_letters_is_another_name(http: httpx.AsyncClient) -> None:
    kim = await join(http, "kim")

    assert (await kim.read("/users/KIM"))["id"] == kim.id
    assert await refused(kim, "/users/\N{KELVIN SIGN}im") == (404, "not-found")


async def test_ones_own_profile_has_a_tag_that_changes_with_it(ada: Person, http: httpx.AsyncClient) -> None:
    first = await ada.get("/users/me")
    assert (first.json()["username"], first.json()["feed"]) == ("ada", "latest")
    again = await ada.request("GET", "/users/me", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")

    await ada.do("PATCH", "/users/me", {"bio": "Writes programs for engines."}, **{"if-match": first.headers["etag"]})

    changed = await ada.request("GET", "/users/me", headers={"if-none-match": first.headers["etag"]})
    assert changed.json()["bio"] == "Writes programs for engines."
    assert problem(await http.get("/users/me")) == "not-signed-in"


async def test_who_is_blocked_finds_no_such_account_and_who_blocks_finds_what_can_be_lifted(
    ada: Person, bob: Person
) -> None:
    tweet = await ada.post("hello")
    liked = await bob.after(ada).post("hello as well")
    await bob.do("POST", f"/tweets/{liked['id']}/like")
    await ada.after(bob).do("POST", "/users/bob/block")
    bob.after(ada)

    for path in ("", "/tweets", "/likes", "/followers", "/following"):
        assert await refused(bob, f"/users/ada{path}") == (404, "not-found")
    assert await refused(bob, f"/tweets/{tweet['id']}") == (404, "not-found")
    assert (await ada.read("/users/bob"))["viewer"]["blocking"] is True
    assert (await ada.read("/users/bob/tweets"))["items"] == (await ada.read("/users/bob/likes"))["items"] == []
    assert names(await ada.items("/users/me/blocks")) == ["bob"]
    assert await bob.items("/users/me/blocks") == []


async def test_followers_and_followees_are_listed_newest_first_less_those_behind_a_block(
    ada: Person, bob: Person, cyd: Person
) -> None:
    await bob.follow(ada)
    await cyd.follow(ada)
    await ada.after(bob, cyd).follow(cyd, bob)
    assert names(await ada.items("/users/ada/followers", limit=1)) == ["cyd", "bob"]
    assert names(await ada.items("/users/ada/following", limit=1)) == ["bob", "cyd"]
    assert (await ada.items("/users/ada/followers"))[0]["viewer"]["followed_by"] is True

    await bob.do("POST", "/users/cyd/block")

    assert names(await cyd.after(bob, ada).items("/users/ada/followers")) == ["cyd"]
    assert names(await ada.after(bob).items("/users/ada/followers")) == ["cyd", "bob"]


async def test_the_muted_are_listed_for_the_one_who_mutes(ada: Person, bob: Person, cyd: Person) -> None:
    await ada.do("POST", "/users/bob/mute")
    await ada.do("POST", "/users/cyd/mute")
    assert names(await ada.items("/users/me/mutes", limit=1)) == ["cyd", "bob"]

    await ada.do("DELETE", "/users/cyd/mute")

    assert names(await ada.items("/users/me/mutes")) == ["bob"]


# Tweets


async def test_a_tweet_is_read_whole(ada: Person, bob: Person) -> None:
    quoted = await bob.post("an idea")
    location = {"lat": 48.2, "lon": 16.4, "name": "Vienna"}
    posted = await ada.after(bob).post(
        "good #idea, @bob", quote_of=quoted["id"], location=location, sensitive=True, content_warning="praise"
    )
    await bob.after(ada).do("POST", f"/tweets/{posted['id']}/like")
    await bob.do("POST", f"/tweets/{posted['id']}/bookmark")
    await bob.do("POST", f"/tweets/{posted['id']}/retweet")
    reply = await bob.post("thanks", reply_to=posted["id"])

    tweet = await bob.read(f"/tweets/{posted['id']}")

    assert tweet["text"] == "good #idea, @bob"
    names = {"id": ada.id, "username": "ada", "display_name": "ada"}
    assert tweet["author"] == names | {"verified": False, "avatar_url": None}
    assert tweet["entities"]["hashtags"] == [{"tag": "idea", "start": 5, "end": 10}]
    assert tweet["entities"]["mentions"][0]["account"] == bob.id
    assert (tweet["location"], tweet["sensitive"], tweet["content_warning"]) == (location, True, "praise")
    assert (tweet["conversation_id"], tweet["version"], tweet["edited_at"]) == (posted["id"], 1, None)
    assert tweet["counts"] == {"replies": 1, "retweets": 1, "quotes": 0, "likes": 1, "bookmarks": 1}
    assert tweet["viewer"] == {"liked": True, "retweeted": True, "bookmarked": True}
    assert tweet["sentiment"]["label"] == "positive"
    assert (tweet["quote"]["id"], tweet["quote"]["tweet"]["text"]) == (quoted["id"], "an idea")
    answered = await bob.read(f"/tweets/{reply['id']}")
    assert answered["reply_to"] == {"id": posted["id"], "author_id": ada.id}
    assert answered["conversation_id"] == posted["id"]


async def test_quotes_are_shown_one_level_deep_and_not_past_a_deletion(ada: Person) -> None:
    first = await ada.post("one")
    second = await ada.post("two", quote_of=first["id"])
    third = await ada.post("three", quote_of=second["id"])

    inner = (await ada.read(f"/tweets/{third['id']}"))["quote"]["tweet"]
    assert inner["text"] == "two"
    assert inner["quote"] == {"id": first["id"], "author_id": ada.id, "tweet": None}

    await ada.do("DELETE", f"/tweets/{second['id']}")

    assert (await ada.read(f"/tweets/{third['id']}"))["quote"]["tweet"] is None


async def test_of_what_a_muted_account_wrote_a_quote_has_only_the_names(ada: Person, bob: Person) -> None:
    quoted = await bob.post("an idea")
    tweet = await ada.after(bob).post("listen", quote_of=quoted["id"])
    await ada.do("POST", "/users/bob/mute")

    assert (await ada.read(f"/tweets/{tweet['id']}"))["quote"] == {
        "id": quoted["id"],
        "author_id": bob.id,
        "tweet": None,
    }
    assert (await bob.after(ada).read(f"/tweets/{tweet['id']}"))["quote"]["tweet"]["text"] == "an idea"


async def test_a_tweet_has_a_tag_and_is_not_sent_again_while_nothing_changes(ada: Person, bob: Person) -> None:
    path = f"/tweets/{(await ada.post('hello'))['id']}"
    tag = (await ada.get(path)).headers["etag"]
    assert (await ada.request("GET", path, headers={"if-none-match": tag})).status_code == 304

    await bob.after(ada).do("POST", f"{path}/like")

    assert (await ada.after(bob).request("GET", path, headers={"if-none-match": tag})).status_code == 200


async def test_a_deleted_tweet_is_gone_and_what_is_no_tweet_is_not_found(ada: Person, bob: Person) -> None:
    tweet = (await ada.post("hello"))["id"]
    await ada.do("DELETE", f"/tweets/{tweet}")
    bob.after(ada)

    for path in ("", "/history", "/likes", "/retweets", "/quotes", "/conversation"):
        assert await refused(bob, f"/tweets/{tweet}{path}") == (410, "gone")
        assert await refused(bob, f"/tweets/nonsense{path}") == (404, "not-found")
        assert await refused(bob, f"/tweets/{bob.id}{path}") == (404, "not-found")


async def test_that_a_tweet_was_deleted_is_hidden_past_a_block_as_well(ada: Person, bob: Person) -> None:
    tweet = (await ada.post("hello"))["id"]
    await ada.do("DELETE", f"/tweets/{tweet}")
    await ada.do("POST", "/users/bob/block")

    assert await refused(bob.after(ada), f"/tweets/{tweet}") == (404, "not-found")


async def test_every_text_of_an_edited_tweet_is_kept_and_shown(ada: Person, clock: StandingClock) -> None:
    tweet = await ada.post("helo")
    await ada.do("PATCH", f"/tweets/{tweet['id']}", {"text": "hello"})
    await ada.do("PATCH", f"/tweets/{tweet['id']}", {"text": "hello #world"})

    items = (await ada.read(f"/tweets/{tweet['id']}/history"))["items"]

    assert [(item["version"], item["text"]) for item in items] == [(1, "helo"), (2, "hello"), (3, "hello #world")]
    assert items[0]["at"] == tweet["created_at"]
    assert items[0]["at"] < items[1]["at"] < items[2]["at"]
    assert items[2]["entities"]["hashtags"][0]["tag"] == "world"
    read = await ada.read(f"/tweets/{tweet['id']}")
    assert (read["text"], read["version"], read["edited_at"]) == ("hello #world", 3, items[2]["at"])


async def test_who_liked_passed_on_and_quoted_a_tweet(ada: Person, bob: Person, cyd: Person) -> None:
    tweet = (await ada.post("hello"))["id"]
    for person in (bob, cyd):
        await person.after(ada).do("POST", f"/tweets/{tweet}/like")
    await bob.do("POST", f"/tweets/{tweet}/retweet")
    quotes = [(await cyd.post(f"indeed {n}", quote_of=tweet))["id"] for n in range(2)]
    ada.after(bob, cyd)

    assert names(await ada.items(f"/tweets/{tweet}/likes", limit=1)) == ["cyd", "bob"]
    assert names(await ada.items(f"/tweets/{tweet}/retweets")) == ["bob"]
    assert ids(await ada.items(f"/tweets/{tweet}/quotes", limit=1)) == quotes[::-1]

    await ada.do("POST", "/users/cyd/mute")

    assert await ada.items(f"/tweets/{tweet}/quotes") == []
    assert names(await ada.items(f"/tweets/{tweet}/likes")) == ["cyd", "bob"]


# Feeds


async def test_the_feed_says_of_each_tweet_why_it_is_there(ada: Person, bob: Person, cyd: Person) -> None:
    await ada.follow(bob)
    posted = await bob.post("from bob")
    other = await cyd.post("from cyd")
    await bob.after(cyd).do("POST", f"/tweets/{other['id']}/retweet")
    own = await ada.post("from ada")

    items = await ada.after(bob, cyd).items("/feed", limit=2)

    assert ids(items) == [own["id"], other["id"], posted["id"]]
    assert [(item["reason"]["kind"], item["reason"]["by"]["username"]) for item in items] == [
        ("posted", "ada"),
        ("retweeted", "bob"),
        ("posted", "bob"),
    ]
    assert items[0]["reason"]["at"] == own["created_at"]
    assert items[1]["reason"]["at"] > other["created_at"]


async def test_a_page_goes_on_where_it_ended_while_new_tweets_arrive(ada: Person) -> None:
    tweets = [(await ada.post(f"tweet {n}"))["id"] for n in range(5)][::-1]
    first = await ada.read("/feed", limit=2)
    await ada.post("new")
    second = await ada.get("/feed", limit=2, cursor=first["next_cursor"])

    assert [*ids(first["items"]), *ids(second.json()["items"])] == tweets[:4]
    assert 'rel="next"' in second.headers["link"]
    assert second.json()["next_cursor"] in second.headers["link"]


async def test_muted_accounts_are_in_no_feed_but_on_their_own_page(ada: Person, bob: Person) -> None:
    await ada.follow(bob)
    tweet = await bob.post("hello #world")
    await ada.after(bob).do("POST", "/users/bob/mute")

    for path in ("/feed", "/public", "/hashtags/world/tweets"):
        assert await ada.items(path) == []
    assert ids(await ada.items("/users/bob/tweets")) == [tweet["id"]]
    assert (await ada.read(f"/tweets/{tweet['id']}"))["text"] == "hello #world"


async def test_everyones_latest_is_public_and_has_no_replies_to_others(
    ada: Person, bob: Person, http: httpx.AsyncClient
) -> None:
    first = await ada.post("first")
    await bob.after(ada).post("a reply", reply_to=first["id"])
    thread = await ada.post("a thread", reply_to=first["id"])
    last = await bob.post("last")

    answer = await http.get("/public", headers={"consistency-token": bob.after(ada).token})

    assert ids(answer.json()["items"]) == [last["id"], thread["id"], first["id"]]
    assert all(item["viewer"] is None for item in answer.json()["items"])


async def test_a_hashtag_is_found_however_it_is_written_and_only_while_it_is_there(ada: Person) -> None:
    tweet = await ada.post("#Straße")
    other = await ada.post("#STRASSE und mehr")
    assert ids(await ada.items("/hashtags/strasse/tweets", limit=1)) == [other["id"], tweet["id"]]
    assert ids(await ada.items("/hashtags/straße/tweets")) == [other["id"], tweet["id"]]

    await ada.do("PATCH", f"/tweets/{other['id']}", {"text": "#Gasse"})
    await ada.do("DELETE", f"/tweets/{tweet['id']}")

    assert await ada.items("/hashtags/strasse/tweets") == []
    assert ids(await ada.items("/hashtags/gasse/tweets")) == [other["id"]]


async def test_an_accounts_page_has_its_replies_only_when_asked_for(ada: Person, bob: Person) -> None:
    root = await bob.post("root")
    await ada.after(bob).do("POST", f"/tweets/{root['id']}/retweet")
    reply = await ada.post("reply", reply_to=root["id"])
    post = await ada.post("post")

    assert ids(await bob.after(ada).items("/users/ada/tweets")) == [post["id"], root["id"]]
    with_replies = await bob.items("/users/ada/tweets", replies="true", limit=1)
    assert ids(with_replies) == [post["id"], reply["id"], root["id"]]
    assert [item["reason"]["kind"] for item in with_replies] == ["posted", "posted", "retweeted"]


async def test_likes_are_public_and_bookmarks_are_ones_own(ada: Person, bob: Person, http: httpx.AsyncClient) -> None:
    tweets = [(await ada.post(f"tweet {n}"))["id"] for n in range(3)]
    bob.after(ada)
    for tweet in (tweets[2], tweets[0]):
        await bob.do("POST", f"/tweets/{tweet}/like")
        await bob.do("POST", f"/tweets/{tweet}/bookmark")

    assert ids(await ada.after(bob).items("/users/bob/likes", limit=1)) == [tweets[0], tweets[2]]
    assert ids(await bob.items("/bookmarks", limit=1)) == [tweets[0], tweets[2]]
    assert await ada.items("/bookmarks") == []
    assert problem(await http.get("/bookmarks")) == "not-signed-in"

    await bob.do("DELETE", f"/tweets/{tweets[0]}/bookmark")

    assert ids(await bob.items("/bookmarks")) == [tweets[2]]


async def test_a_cursor_belongs_to_its_list_and_parameters_are_checked(ada: Person, bob: Person) -> None:
    for n in range(2):
        await ada.post(f"tweet {n}")
    cursor = (await ada.read("/feed", limit=1))["next_cursor"]

    assert await refused(ada, "/public", cursor=cursor) == (400, "bad-cursor")
    assert await refused(bob, "/feed", cursor=cursor) == (400, "bad-cursor")
    assert await refused(ada, "/feed", limit=101) == (422, "invalid-value")
    assert await refused(ada, "/feed", page=2) == (422, "invalid-value")
