"""Conversations over HTTP: ancestors, nested replies, and the replies below a gap."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.scenarios.people import Json, Person, texts
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import MINUTE, StandingClock

pytestmark = [pytest.mark.usefixtures("passing"), both_profiles]


@pytest.fixture
def passing(http: httpx.AsyncClient, clock: StandingClock) -> None:
    """Let time pass before each write, so that no rate limit is reached and later items have later times."""

    async def pass_on(request: httpx.Request) -> None:
        if request.method != "GET":
            clock.forward(MINUTE // 2)

    http.event_hooks["request"].insert(0, pass_on)


def tree(replies: list[Json]) -> list[Any]:
    """Return the texts of nested replies, each with the replies below it."""
    return [[reply["tweet"]["text"] if reply["tweet"] else None, *tree(reply["replies"])] for reply in replies]


async def test_a_conversation_has_what_was_answered_and_the_replies_nested(
    ada: Person, bob: Person, cyd: Person
) -> None:
    root = await ada.post("root")
    middle = await bob.after(ada).post("middle", reply_to=root["id"])
    one = await ada.after(bob).post("one", reply_to=middle["id"])
    two = await cyd.after(ada, bob).post("two", reply_to=middle["id"])
    beneath = await bob.after(ada, cyd).post("beneath one", reply_to=one["id"])
    await ada.after(bob, cyd).post("deeper", reply_to=beneath["id"])

    page = await ada.read(f"/tweets/{middle['id']}/conversation")
    assert texts(page["ancestors"]) == ["root"]
    assert page["tweet"]["text"] == "middle"
    assert tree(page["replies"]) == [["one", ["beneath one", ["deeper"]]], ["two"]]
    assert page["next_cursor"] is None
    assert texts((await ada.read(f"/tweets/{beneath['id']}/conversation"))["ancestors"]) == ["root", "middle", "one"]

    first = await ada.read(f"/tweets/{middle['id']}/conversation", limit=1)
    second = await ada.read(f"/tweets/{middle['id']}/conversation", limit=1, cursor=first["next_cursor"])
    assert [tree(first["replies"]), tree(second["replies"])] == [[["one", ["beneath one", ["deeper"]]]], [["two"]]]
    assert second["next_cursor"] is None

    await ada.do("DELETE", f"/tweets/{one['id']}")
    await cyd.do("DELETE", f"/tweets/{two['id']}")

    replies = (await ada.after(cyd).read(f"/tweets/{middle['id']}/conversation"))["replies"]
    assert tree(replies) == [[None, ["beneath one", ["deeper"]]]]  # nothing hangs beneath the other


async def replies_to(person: Person, tweet: Json, count: int) -> list[Json]:
    return [await person.post(f"reply {n}", reply_to=tweet["id"]) for n in range(count)]


async def test_the_living_replies_beneath_a_gap_are_shown_however_many_before_them_were_deleted(
    ada: Person, bob: Person
) -> None:
    root = await ada.post("root")
    gap = await bob.after(ada).post("gap", reply_to=root["id"])
    replies = await replies_to(ada.after(bob), gap, 12)
    for reply in replies[:10]:
        await ada.do("DELETE", f"/tweets/{reply['id']}")
    shown = (await ada.read(f"/tweets/{root['id']}/conversation"))["replies"]
    assert tree(shown) == [["gap", ["reply 10"], ["reply 11"]]]
    await bob.do("DELETE", f"/tweets/{gap['id']}")
    shown = (await ada.after(bob).read(f"/tweets/{root['id']}/conversation"))["replies"]
    assert tree(shown) == [[None, ["reply 10"], ["reply 11"]]]


async def test_all_that_lives_beneath_a_gap_is_shown_and_ten_beneath_a_tweet(ada: Person, bob: Person) -> None:
    root = await ada.post("root")
    tweet = await bob.after(ada).post("tweet", reply_to=root["id"])
    await replies_to(ada.after(bob), tweet, 12)
    shown = (await ada.read(f"/tweets/{root['id']}/conversation"))["replies"]
    assert tree(shown) == [["tweet", *([f"reply {n}"] for n in range(10))]]
    await bob.do("DELETE", f"/tweets/{tweet['id']}")
    shown = (await ada.after(bob).read(f"/tweets/{root['id']}/conversation"))["replies"]
    assert tree(shown) == [[None, *([f"reply {n}"] for n in range(12))]]


async def test_a_gap_beneath_a_gap_is_looked_through(ada: Person, bob: Person) -> None:
    root = await ada.post("root")
    first = await ada.post("first", reply_to=root["id"])
    second = await ada.post("second", reply_to=first["id"])
    await replies_to(ada, second, 2)
    for tweet in (first, second):
        await ada.do("DELETE", f"/tweets/{tweet['id']}")
    shown = (await ada.read(f"/tweets/{root['id']}/conversation"))["replies"]
    assert tree(shown) == [[None, [None, ["reply 0"], ["reply 1"]]]]


async def test_the_replies_beneath_one_who_blocks_you_are_shown_beneath_a_gap(
    ada: Person, bob: Person, cyd: Person
) -> None:
    root = await ada.post("root")
    hidden = await bob.after(ada).post("hidden", reply_to=root["id"])
    await replies_to(cyd.after(ada, bob), hidden, 11)
    await bob.do("POST", "/users/ada/block")
    shown = (await ada.after(bob, cyd).read(f"/tweets/{root['id']}/conversation"))["replies"]
    assert tree(shown) == [[None, *([f"reply {n}"] for n in range(11))]]
