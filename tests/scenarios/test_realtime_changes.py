"""GET /stream over the real server: edits, deletions, and notifications as in the list."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.scenarios.people import Person
from tests.scenarios.service import Service
from tests.scenarios.streaming import IN_TIME_S, streaming


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with service.live() as url, httpx.AsyncClient(base_url=url, timeout=IN_TIME_S) as client:
        yield client


async def test_a_follower_is_told_of_edits_and_deletions_as_the_tweet_is_read(ada: Person, bob: Person) -> None:
    await bob.follow(ada)
    async with streaming(bob) as stream:
        tweet = await ada.post("first")
        assert (await stream.next()).kind == "tweet"
        await ada.do("PATCH", f"/tweets/{tweet['id']}", {"text": "second"})
        edited = await stream.next()
        assert (edited.kind, edited.data["text"], edited.data["version"]) == ("tweet.edited", "second", 2)
        assert edited.data == await bob.after(ada).read(f"/tweets/{tweet['id']}")
        await ada.do("DELETE", f"/tweets/{tweet['id']}")
        deleted = await stream.next()
        assert (deleted.kind, deleted.data) == ("tweet.deleted", {"tweet_id": tweet["id"]})


async def test_one_is_told_of_changes_to_ones_own_and_to_what_others_passed_on_and_to_nothing_else(
    ada: Person, bob: Person, cyd: Person
) -> None:
    await bob.follow(ada)
    passed_on, stranger = await cyd.post("passed on"), await cyd.post("of a stranger")
    await ada.after(cyd).do("POST", f"/tweets/{passed_on['id']}/retweet")
    reply = await ada.post("to a stranger", reply_to=stranger["id"])
    own = await bob.after(ada).post("mine", reply_to=stranger["id"])
    await bob.read("/feed")
    async with streaming(bob) as stream:
        for person, tweet in ((cyd, stranger), (ada, reply), (bob, own), (cyd, passed_on)):
            await person.do("PATCH", f"/tweets/{tweet['id']}", {"text": "edited"})
        for person, tweet in ((ada, reply), (cyd, passed_on), (bob, own)):
            await person.do("DELETE", f"/tweets/{tweet['id']}")
        end = await bob.post("the end")
        told = [await stream.next()]
        while told[-1].kind != "tweet":
            told.append(await stream.next())
    assert told.pop().data["tweet"]["id"] == end["id"]
    changes = [(event.kind, event.data.get("id") or event.data.get("tweet_id")) for event in told]
    assert [change for change in changes if change[0] != "counts"] == [
        ("tweet.edited", own["id"]),
        ("tweet.edited", passed_on["id"]),
        ("tweet.deleted", passed_on["id"]),
        ("tweet.deleted", own["id"]),
    ]


async def test_a_notification_has_the_shape_of_the_list(ada: Person, bob: Person, cyd: Person) -> None:
    tweet = await ada.post("liked")
    async with streaming(ada) as stream:
        for person in (bob, cyd):
            await person.after(ada).do("POST", f"/tweets/{tweet['id']}/like")
            while (told := await stream.next()).kind != "notification":
                assert told.kind == "counts"
            (listed,) = (await ada.after(person).read("/notifications"))["items"]
            assert told.data == listed
        assert [actor["username"] for actor in told.data["actors"]] == ["cyd", "bob"]
        assert (told.data["count"], told.data["tweet"]["id"], told.data["read"]) == (2, tweet["id"], False)


async def test_a_client_that_comes_back_is_told_of_what_is_deleted_only_that_it_is(ada: Person, bob: Person) -> None:
    await bob.follow(ada)
    async with streaming(bob) as stream:
        tweet = await ada.post("first")
        last = (await stream.next()).id
    await ada.do("PATCH", f"/tweets/{tweet['id']}", {"text": "second"})
    await ada.do("POST", "/users/bob/follow")
    await ada.do("DELETE", f"/tweets/{tweet['id']}")
    async with streaming(bob, last) as stream:
        told = [await stream.next() for _ in range(2)]
    assert sorted(event.kind for event in told) == ["notification", "tweet.deleted"]
