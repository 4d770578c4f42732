"""Tweets over HTTP: posted, replied to, quoted, edited, deleted, liked, passed on, kept."""

from __future__ import annotations

import httpx
import pytest

from events.ids import millis
from rest.times import rfc3339
from tests.scenarios.people import Json, Person, texts
from tests.scenarios.service import MINUTE, START, Service, StandingClock, problem


def counts(**moved: int) -> Json:
    return {"replies": 0, "retweets": 0, "quotes": 0, "likes": 0, "bookmarks": 0} | moved


async def test_a_tweet_is_answered_as_it_will_be_read(ada: Person, bob: Person) -> None:
    place = {"lat": 59.3, "lon": 18.0, "name": "Stockholm"}
    answer = await ada.do(
        "POST",
        "/tweets",
        {
            "text": "Cafe\u0301 with @bob and @nobody_at_all, #d\u00e9j\u00e0 https://example.org/x",
            "location": place,
            "sensitive": True,
            "content_warning": "coffee",
        },
    )
    tweet = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/tweets/{tweet['id']}"
    assert tweet["text"] == "Caf\u00e9 with @bob and @nobody_at_all, #d\u00e9j\u00e0 https://example.org/x"
    names = {"id": ada.id, "username": "ada", "display_name": "ada"}
    assert tweet["author"] == names | {"verified": False, "avatar_url": None}
    assert tweet["media"] == []
    assert (tweet["created_at"], millis(tweet["id"])) == (rfc3339(START), START)
    assert (tweet["location"], tweet["sensitive"], tweet["content_warning"]) == (place, True, "coffee")
    assert (tweet["counts"], tweet["conversation_id"], tweet["version"]) == (counts(), tweet["id"], 1)
    for kind, entity in tweet["entities"].items():
        for one in entity:
            assert tweet["text"][one["start"] : one["end"]][0] in "@#h", kind
    assert [one.get("account") for one in tweet["entities"]["mentions"]] == [bob.id, None]
    read = await ada.read(answer.headers["location"].removeprefix("/api/v1"))
    assert read.pop("sentiment") is not None
    assert tweet.pop("sentiment") is None
    assert read == tweet


async def test_who_is_not_signed_in_sees_no_viewer(http: httpx.AsyncClient, ada: Person) -> None:
    tweet = (await ada.post("hello"))["id"]
    read = (await http.get(f"/tweets/{tweet}", headers={"consistency-token": ada.token})).json()
    assert read["viewer"] is None
    assert (await ada.read(f"/tweets/{tweet}"))["viewer"] == {"liked": False, "retweeted": False, "bookmarked": False}


async def test_lengths_are_weighed_as_twitter_text_does(ada: Person) -> None:
    for text in ("x" * 280, "\u6f22" * 140, "\U0001f469\u200d\U0001f4bb" * 140, "https://example.org/" + "x" * 400):
        await ada.post(text)
    for text in ("x" * 281, "\u6f22" * 141, "https://example.org " + "x" * 257):
        answer = await ada.request("POST", "/tweets", json={"text": text})
        assert (answer.status_code, problem(answer)) == (422, "invalid-value"), text


async def test_a_reply_belongs_to_the_conversation_and_is_counted(ada: Person, bob: Person) -> None:
    first = await ada.post("what do you think?")
    reply = await bob.post("a lot", reply_to=first["id"])
    further = await ada.post("tell me", reply_to=reply["id"])
    assert reply["reply_to"] == {"id": first["id"], "author_id": ada.id}
    assert {tweet["conversation_id"] for tweet in (first, reply, further)} == {first["id"]}
    ada.after(bob)
    assert (await ada.read(f"/tweets/{first['id']}"))["counts"] == counts(replies=1)
    await bob.do("DELETE", f"/tweets/{reply['id']}")
    assert (await ada.after(bob).read(f"/tweets/{first['id']}"))["counts"] == counts()


async def test_a_quote_shows_what_it_quotes_one_level_deep(ada: Person, bob: Person) -> None:
    first = await ada.post("quote me")
    quote = await bob.post("as she said", quote_of=first["id"])
    assert quote["quote"] == {"id": first["id"], "author_id": ada.id, "tweet": None}
    above = await ada.post("as he said that she said", quote_of=quote["id"])
    ada.after(bob)
    read = await ada.read(f"/tweets/{above['id']}")
    assert read["quote"]["tweet"]["text"] == "as she said"
    assert read["quote"]["tweet"]["quote"] == {"id": first["id"], "author_id": ada.id, "tweet": None}
    assert (await ada.read(f"/tweets/{first['id']}"))["counts"] == counts(quotes=1)
    assert texts(await ada.items(f"/tweets/{first['id']}/quotes")) == ["as she said"]
    await ada.do("DELETE", f"/tweets/{first['id']}")
    left = await bob.after(ada).read(f"/tweets/{quote['id']}")
    assert left["quote"] == {"id": first["id"], "author_id": ada.id, "tweet": None}


async def test_a_tweet_can_be_edited_for_30_minutes_and_every_version_is_shown(
    ada: Person, bob: Person, clock: StandingClock
) -> None:
    tweet = (await ada.post("frist"))["id"]
    clock.forward(10 * MINUTE)
    await ada.do("PATCH", f"/tweets/{tweet}", {"text": "first, @bob"})
    clock.forward(20 * MINUTE)
    await ada.sign_in()
    await ada.do("PATCH", f"/tweets/{tweet}", {"text": "the first"})
    clock.forward(1)
    late = await ada.request("PATCH", f"/tweets/{tweet}", json={"text": "too late"})
    assert (late.status_code, problem(late)) == (403, "edit-window-closed")
    read = await ada.read(f"/tweets/{tweet}")
    assert (read["text"], read["version"], read["edited_at"]) == ("the first", 3, rfc3339(START + 30 * MINUTE))
    assert read["created_at"] == rfc3339(START)
    history = await ada.read(f"/tweets/{tweet}/history")
    assert [(one["version"], one["text"], one["at"]) for one in history["items"]] == [
        (1, "frist", rfc3339(START)),
        (2, "first, @bob", rfc3339(START + 10 * MINUTE)),
        (3, "the first", rfc3339(START + 30 * MINUTE)),
    ]
    assert [m["account"] for m in history["items"][1]["entities"]["mentions"]] == [bob.id]
    first = await ada.read(f"/tweets/{tweet}/history", limit=2)
    rest = await ada.read(f"/tweets/{tweet}/history", limit=2, cursor=first["next_cursor"])
    assert first["items"] + rest["items"] == history["items"]
    assert (rest["next_cursor"], history["next_cursor"]) == (None, None)


async def test_an_edit_to_the_same_text_is_none(ada: Person, service: Service) -> None:
    tweet = (await ada.post("as it is"))["id"]
    before = len(await service.events())
    await ada.do("PATCH", f"/tweets/{tweet}", {"text": "as it is"})
    assert len(await service.events()) == before
    assert (await ada.read(f"/tweets/{tweet}"))["edited_at"] is None


@pytest.mark.parametrize("settings", [{"edit_minutes": 1}])
async def test_how_long_a_tweet_can_be_edited_is_a_setting(ada: Person, clock: StandingClock) -> None:
    tweet = (await ada.post("frist"))["id"]
    clock.forward(MINUTE)
    await ada.do("PATCH", f"/tweets/{tweet}", {"text": "first"})
    clock.forward(1)
    late = await ada.request("PATCH", f"/tweets/{tweet}", json={"text": "too late"})
    assert (late.status_code, problem(late)) == (403, "edit-window-closed")
    assert "1 minute" in late.json()["detail"]


async def test_a_deleted_tweet_is_gone_from_every_list(ada: Person, bob: Person) -> None:
    await bob.follow(ada)
    tweet = (await ada.post("#gone by tomorrow"))["id"]
    await bob.do("POST", f"/tweets/{tweet}/like")
    await bob.do("POST", f"/tweets/{tweet}/bookmark")
    await bob.do("POST", f"/tweets/{tweet}/retweet")
    bob.after(ada)
    lists = ["/feed", "/public", "/hashtags/gone/tweets", "/users/ada/tweets", "/users/bob/tweets", "/users/bob/likes"]
    lists += ["/bookmarks", "/search/tweets?q=tomorrow"]
    for path in lists:
        assert set(texts((await bob.read(path))["items"])) == {"#gone by tomorrow"}, path
    answer = await ada.do("DELETE", f"/tweets/{tweet}")
    assert (answer.status_code, answer.content) == (204, b"")
    for path in lists:
        assert (await bob.after(ada).read(path))["items"] == [], path
    assert (await bob.get(f"/tweets/{tweet}")).status_code == 410
    assert (await ada.read("/users/ada"))["tweets_count"] == 0


async def test_likes_retweets_and_bookmarks_are_counted_shown_and_taken_back(ada: Person, bob: Person) -> None:
    tweet = (await ada.post("hello"))["id"]
    for what, shown in (("like", "likes"), ("retweet", "retweets"), ("bookmark", "bookmarks")):
        mark = {"like": "liked", "retweet": "retweeted", "bookmark": "bookmarked"}[what]
        answer = await bob.do("POST", f"/tweets/{tweet}/{what}")
        assert (answer.status_code, answer.content) == (204, b"")
        read = await bob.after(ada).read(f"/tweets/{tweet}")
        assert (read["counts"][shown], read["viewer"][mark]) == (1, True)
        other = await ada.after(bob).read(f"/tweets/{tweet}")
        assert (other["counts"][shown], other["viewer"][mark]) == (1, False)
        if what != "bookmark":
            assert [user["username"] for user in await ada.items(f"/tweets/{tweet}/{shown}")] == ["bob"]
        await bob.do("DELETE", f"/tweets/{tweet}/{what}")
        read = await bob.read(f"/tweets/{tweet}")
        assert (read["counts"], read["viewer"][mark]) == (counts(), False)


async def test_bookmarks_are_their_owners_alone_what_was_kept_last_first(ada: Person, bob: Person) -> None:
    tweets = [(await ada.post(f"{n}"))["id"] for n in range(3)]
    bob.after(ada)
    for tweet in (tweets[1], tweets[0], tweets[2]):
        await bob.do("POST", f"/tweets/{tweet}/bookmark")
    assert texts(await bob.items("/bookmarks", limit=1)) == ["2", "0", "1"]
    await bob.do("DELETE", f"/tweets/{tweets[0]}/bookmark")
    assert texts(await bob.items("/bookmarks")) == ["2", "1"]
    assert await ada.after(bob).items("/bookmarks") == []
    assert (await ada.get(f"/tweets/{tweets[1]}/bookmarks")).status_code == 404


async def test_a_conversation_has_ancestors_and_nested_replies(ada: Person, bob: Person, clock: StandingClock) -> None:
    async def post(who: Person, text: str, to: Json | None) -> Json:
        clock.forward(MINUTE // 10)
        return await who.after(ada, bob).post(text, **({"reply_to": to["id"]} if to else {}))

    root = await post(ada, "root", None)
    left, right = await post(bob, "left", root), await post(ada, "right", root)
    leaf = await post(ada, "leaf", left)
    await post(bob, "under the leaf", leaf)
    await post(bob, "under right", right)
    bob.after(ada)
    whole = await bob.read(f"/tweets/{root['id']}/conversation")
    assert (whole["ancestors"], whole["tweet"]["text"], whole["next_cursor"]) == ([], "root", None)
    assert outline(whole["replies"]) == [
        ["left", [["leaf", [["under the leaf", []]]]]],
        ["right", [["under right", []]]],
    ]
    below = await bob.read(f"/tweets/{leaf['id']}/conversation")
    assert texts(below["ancestors"]) == ["root", "left"]
    assert outline(below["replies"]) == [["under the leaf", []]]
    page = await bob.read(f"/tweets/{root['id']}/conversation", limit=1)
    rest = await bob.read(f"/tweets/{root['id']}/conversation", limit=1, cursor=page["next_cursor"])
    assert [outline(one["replies"])[0][0] for one in (page, rest)] == ["left", "right"]
    await bob.do("DELETE", f"/tweets/{left['id']}")
    gap = await ada.after(bob).read(f"/tweets/{root['id']}/conversation")
    assert outline(gap["replies"])[0] == [None, [["leaf", [["under the leaf", []]]]]]


def outline(replies: list[Json]) -> list[list[object]]:
    return [[(one["tweet"] or {}).get("text"), outline(one["replies"])] for one in replies]


async def test_what_is_sent_twice_at_once_is_done_once(ada: Person, bob: Person, service: Service) -> None:
    tweet = (await ada.post("hello"))["id"]
    before = len(await service.events())
    for _ in range(3):
        await bob.do("POST", f"/tweets/{tweet}/like")
    assert len(await service.events()) == before + 1
    assert (await ada.after(bob).read(f"/tweets/{tweet}"))["counts"]["likes"] == 1
