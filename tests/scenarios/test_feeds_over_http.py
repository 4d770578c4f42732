"""The home feed by its definition (law 5), and the other feeds."""

from __future__ import annotations

from rest.times import rfc3339
from tests.scenarios.people import Json, Person, texts
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import START, StandingClock

pytestmark = both_profiles


def reasons(items: list[Json]) -> list[tuple[str, str, str]]:
    return [(item["tweet"]["text"], item["reason"]["kind"], item["reason"]["by"]["username"]) for item in items]


async def test_the_feed_has_what_you_and_those_you_follow_now_posted_or_retweeted(
    ada: Person, bob: Person, cyd: Person, clock: StandingClock
) -> None:
    old = (await cyd.post("from before"))["id"]
    clock.forward(1000)
    await bob.post("of bob, before ada followed him")
    clock.forward(1000)
    await bob.after(cyd).do("POST", f"/tweets/{old}/retweet")
    clock.forward(1000)
    await ada.post("of ada herself")
    clock.forward(1000)
    await cyd.post("of cyd, whom ada does not follow")
    assert reasons(await ada.items("/feed")) == [("of ada herself", "posted", "ada")]
    await ada.follow(bob)
    feed = await ada.after(bob, cyd).items("/feed")
    assert reasons(feed) == [
        ("of ada herself", "posted", "ada"),
        ("from before", "retweeted", "bob"),
        ("of bob, before ada followed him", "posted", "bob"),
    ]
    assert [item["reason"]["at"] for item in feed] == [rfc3339(START + n) for n in (3000, 2000, 1000)]
    await ada.do("DELETE", "/users/bob/follow")
    assert reasons(await ada.items("/feed")) == [("of ada herself", "posted", "ada")]


async def test_a_reply_is_in_the_feed_only_of_those_who_follow_both(
    ada: Person, bob: Person, cyd: Person, clock: StandingClock
) -> None:
    asked = (await cyd.post("who knows?"))["id"]
    clock.forward(1000)
    await bob.after(cyd).post("bob knows", reply_to=asked)
    await ada.follow(bob)
    ada.after(bob, cyd)
    assert texts(await ada.items("/feed")) == []
    await ada.follow(cyd)
    assert texts(await ada.items("/feed")) == ["bob knows", "who knows?"]
    await ada.do("DELETE", "/users/cyd/follow")
    mine = (await ada.post("ask me"))["id"]
    clock.forward(1000)
    answered = (await bob.after(ada).post("to ada", reply_to=mine))["id"]
    clock.forward(1000)
    await bob.post("to himself, in a thread", reply_to=answered)
    assert texts(await ada.after(bob).items("/feed")) == ["to himself, in a thread", "to ada", "ask me"]


async def test_there_is_one_item_for_each_activity(ada: Person, bob: Person, cyd: Person, clock: StandingClock) -> None:
    tweet = (await bob.post("passed on"))["id"]
    await ada.follow(bob, cyd)
    for who in (cyd, bob, ada):
        clock.forward(1000)
        await who.after(bob).do("POST", f"/tweets/{tweet}/retweet")
    ada.after(bob, cyd)
    assert [reason[1:] for reason in reasons(await ada.items("/feed"))] == [
        ("retweeted", "ada"),
        ("retweeted", "bob"),
        ("retweeted", "cyd"),
        ("posted", "bob"),
    ]
    await cyd.do("DELETE", f"/tweets/{tweet}/retweet")
    assert len(await ada.after(cyd).items("/feed")) == 3
    await cyd.do("POST", f"/tweets/{tweet}/retweet")
    assert [reason[2] for reason in reasons(await ada.after(cyd).items("/feed"))][:2] == ["cyd", "ada"]


async def test_what_is_deleted_or_hidden_is_left_out(ada: Person, bob: Person, cyd: Person) -> None:
    await ada.follow(bob, cyd)
    of_bob = [(await bob.post(f"bob {n}"))["id"] for n in range(2)]
    of_cyd = (await cyd.post("cyd"))["id"]
    await bob.after(cyd).do("POST", f"/tweets/{of_cyd}/retweet")
    await cyd.after(bob).do("POST", f"/tweets/{of_bob[0]}/retweet")
    ada.after(bob, cyd)
    assert len(await ada.items("/feed")) == 5
    await bob.do("DELETE", f"/tweets/{of_bob[0]}")
    assert sorted(reason[0] for reason in reasons(await ada.after(bob).items("/feed"))) == ["bob 1", "cyd", "cyd"]
    await ada.do("POST", "/users/cyd/mute")
    assert reasons(await ada.items("/feed")) == [("bob 1", "posted", "bob")]
    await ada.do("DELETE", "/users/cyd/mute")
    await cyd.do("POST", "/users/ada/block")
    assert reasons(await ada.after(cyd).items("/feed")) == [("bob 1", "posted", "bob")]


async def test_public_has_neither_replies_to_others_nor_retweets(
    ada: Person, bob: Person, clock: StandingClock
) -> None:
    first = (await ada.post("first"))["id"]
    for who, text, to in ((bob, "to ada", first), (ada, "to myself", first), (bob, "second", None)):
        clock.forward(1000)
        await who.after(ada).post(text, **({"reply_to": to} if to else {}))
    await bob.do("POST", f"/tweets/{first}/retweet")
    found = texts(await ada.after(bob).items("/public", limit=1))
    assert "to ada" not in found
    assert found[0] == "second"
    assert found[-1] == "first"


async def test_a_hashtag_is_found_in_any_case_and_with_any_accents_it_folds(ada: Person, clock: StandingClock) -> None:
    for text in ("#Delay again", "no tag", "#DELAY and #delay", "##delayed"):
        clock.forward(1000)
        await ada.post(text)
    for tag in ("delay", "DELAY", "Delay"):
        assert texts(await ada.items(f"/hashtags/{tag}/tweets", limit=1)) == ["#DELAY and #delay", "#Delay again"]
    assert await ada.items("/hashtags/nothing/tweets") == []
    edited = (await ada.post("#later"))["id"]
    await ada.do("PATCH", f"/tweets/{edited}", {"text": "#sooner"})
    assert await ada.items("/hashtags/later/tweets") == []
    assert texts(await ada.items("/hashtags/sooner/tweets")) == ["#sooner"]
