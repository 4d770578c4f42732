"""GET /stream and /ws over the real server: their events, their recipients, and reconnecting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from rest.exchange import Message
from tests.scenarios.people import Json, Person, join
from tests.scenarios.service import MINUTE, Service, StandingClock, problem
from tests.scenarios.streaming import IN_TIME_S, Event, streaming


@pytest.fixture
def settings() -> dict[str, Any]:
    many = 1_000_000
    return {"rate_limits": {"tweets_a_day": many, "tweets_a_second": many, "tweets_burst": many}}


@pytest.fixture
async def api(service: Service) -> AsyncIterator[str]:
    async with service.live() as url:
        yield url


@pytest.fixture
async def http(api: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api, timeout=IN_TIME_S) as client:
        yield client


async def test_a_follower_is_told_of_a_tweet_as_the_feed_has_it(ada: Person, bob: Person) -> None:
    await bob.follow(ada)
    async with streaming(bob) as stream:
        tweet = await ada.post("Hello, #world")
        event = await stream.next()
        assert event.kind == "tweet"
        assert event.data == (await bob.after(ada).read("/feed"))["items"][0]
        assert event.data["tweet"]["id"] == tweet["id"]
        assert event.data["reason"]["kind"] == "posted"


async def test_one_who_does_not_follow_is_told_nothing_and_follows_from_within_the_stream(
    ada: Person, bob: Person, cyd: Person
) -> None:
    async with streaming(bob) as stream:
        await ada.post("before")
        await bob.follow(ada)
        await cyd.post("of a stranger")
        await ada.post("after")
        await ada.post("to a stranger", reply_to=(await cyd.post("asked"))["id"])
        await bob.do("DELETE", "/users/ada/follow")
        await ada.post("unheard")
        await bob.post("mine")
        assert await stream.texts(2) == ["after", "mine"]


async def test_the_recipient_is_told_of_a_notification_unless_it_comes_from_one_who_is_hidden(
    ada: Person, bob: Person, cyd: Person
) -> None:
    tweet = (await ada.post("like me"))["id"]
    await ada.do("POST", "/users/cyd/mute")
    async with streaming(ada) as stream:
        await cyd.do("POST", f"/tweets/{tweet}/like")
        await bob.follow(ada)
        told = await stream.next()
        while told.kind == "counts":
            told = await stream.next()
        assert (told.kind, told.data["kind"], told.data["actors"][0]["username"]) == ("notification", "follow", "bob")
        listed = (await ada.after(bob).read("/notifications"))["items"]
        assert [item["id"] for item in listed] == [told.data["id"]]
        assert listed[0]["at"] == told.data["at"]


async def test_counts_are_told_of_the_tweets_in_the_feed_as_they_move(ada: Person, bob: Person, cyd: Person) -> None:
    await bob.follow(ada)
    before = (await ada.post("from before the stream"))["id"]
    await bob.after(ada).read("/feed")
    async with streaming(bob) as stream:
        await cyd.do("POST", f"/tweets/{before}/like")
        assert (await stream.next())[::2] == ("counts", {"tweet_id": before, "counts": counts(likes=1)})
        quote = (await cyd.post("look at this", quote_of=before))["id"]
        assert (await stream.next())[::2] == ("counts", {"tweet_id": before, "counts": counts(likes=1, quotes=1)})
        await cyd.do("DELETE", f"/tweets/{quote}")
        assert (await stream.next())[::2] == ("counts", {"tweet_id": before, "counts": counts(likes=1)})
        shown = (await ada.post("shown by the stream"))["id"]
        assert (await stream.next()).kind == "tweet"
        await cyd.do("POST", f"/tweets/{shown}/retweet")
        assert (await stream.next())[::2] == ("counts", {"tweet_id": shown, "counts": counts(retweets=1)})


def counts(**moved: int) -> Json:
    return {"replies": 0, "retweets": 0, "quotes": 0, "likes": 0, "bookmarks": 0} | moved


async def test_the_ranking_of_an_hour_is_told_when_it_ends(
    ada: Person, bob: Person, cyd: Person, clock: StandingClock
) -> None:
    clock.forward(60 * MINUTE - clock.now % (60 * MINUTE))
    for who in (ada, bob, cyd):
        await who.sign_in()
    async with streaming(ada) as stream:
        for who in (ada, bob, cyd):
            await who.post("what about #museums")
        assert await stream.texts(1) == ["what about #museums"]
        clock.forward(60 * MINUTE)
        await bob.sign_in()
        await bob.post("an hour later")
        event = await stream.next()
        assert event.kind == "trend"
        assert event.data["window"].startswith("1h/")
        assert [(item["tag"], item["authors"]) for item in event.data["items"]] == [("museums", 3)]


async def test_a_client_that_comes_back_goes_on_behind_any_event_without_loss_or_repeat(
    ada: Person, bob: Person, cyd: Person
) -> None:
    await bob.follow(ada)
    for who in (ada, cyd):
        await bob.post(f"@{who.name} hello")
    seen: list[Event] = []
    async with streaming(bob) as stream:
        written = [asyncio.ensure_future(ada.post(f"tweet {n}")) for n in range(20)]
        await asyncio.gather(*written, *(cyd.do("POST", "/tweets", {"text": f"@bob {n}"}) for n in range(10)))
        seen = [await stream.next() for _ in range(30)]
    assert {event.kind for event in seen} == {"tweet", "notification"}
    for n, event in enumerate(seen[:-1]):
        async with streaming(bob, last=event.id) as stream:
            again = [await stream.next() for _ in seen[n + 1 :]]
            assert [(one.kind, one.data) for one in again] == [(one.kind, one.data) for one in seen[n + 1 :]]
    async with streaming(bob, last=seen[-1].id) as stream:
        await ada.post("the next")
        assert await stream.texts(1) == ["the next"]


async def test_a_client_that_saw_nothing_yet_goes_on_from_where_its_stream_began(
    ada: Person, bob: Person, service: Service
) -> None:
    await bob.follow(ada)
    async with aconnect_sse(bob.http, "GET", "/stream", headers=bob.bearer) as source:
        began = await anext(source.aiter_sse())
        assert (began.event, began.data, began.retry) == ("still-here", "null", 2000)
    await ada.post("meanwhile")
    async with streaming(bob, last=began.id) as stream:
        assert await stream.texts(1) == ["meanwhile"]


async def test_a_client_that_was_unavailable_for_too_long_is_told_to_read_anew(
    ada: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query_api.realtime.MOST_REPLAYED", 5)
    await bob.follow(ada)
    async with streaming(bob) as stream:
        await ada.post("first")
        await stream.next()
    for n in range(6):
        await ada.post(f"missed {n}")
    async with streaming(bob, last=stream.last_id) as stream:
        reset = await stream.next()
        assert (reset.kind, reset.data) == ("reset", {"reason": "too long ago"})
        await ada.post("now")
        assert await stream.texts(1) == ["now"]


async def test_a_client_that_is_too_slow_loses_what_waits_and_is_told_so(
    ada: Person, bob: Person, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query_api.realtime.MOST_WAITING", 20)
    await bob.follow(ada)
    goes_on = asyncio.Event()
    said: asyncio.Queue[bytes] = asyncio.Queue()

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("the event is never set")

    async def send(message: Message) -> None:
        await said.put(message.get("body", b""))
        if b"event: tweet" in message.get("body", b""):
            await goes_on.wait()

    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/api/v1/stream", "query_string": b""}
    headers = [(b"host", b"test"), (b"authorization", bob.bearer["authorization"].encode())]
    scope |= {"scheme": "http", "headers": headers, "client": ("127.0.0.1", 1)}
    serving = asyncio.ensure_future(service.composition.application(scope, never, send))
    async with asyncio.timeout(IN_TIME_S):
        while b"still-here" not in await said.get():
            pass
        for n in range(23):
            await ada.post(f"tweet {n}")
        await bob.after(ada).read("/feed")
        goes_on.set()
        told = [await said.get() for _ in range(3)]
    serving.cancel()
    assert [b"tweet 0" in told[0], b"tweet 22" in told[2]] == [True, True]
    assert b"event: reset\n" in told[1]
    assert b'data: {"reason":"too slow"}' in told[1]


async def test_a_stream_ends_within_seconds_of_its_session(ada: Person, bob: Person, service: Service) -> None:
    service.composition.query_side.streams.heartbeat_s = 0.05
    async with streaming(ada) as quiet, streaming(bob) as other:
        await ada.do("POST", "/auth/logout")
        assert await quiet.ended()
        await bob.post("still told")
        assert await other.texts(1) == ["still told"]


async def test_a_stream_that_is_never_quiet_ends_with_its_session_too(ada: Person, bob: Person) -> None:
    await ada.follow(bob)
    async with streaming(ada) as stream:
        await ada.do("POST", "/auth/logout")
        await bob.post("not for ada any more")
        assert await stream.ended()


async def test_a_ticket_opens_a_stream_for_a_minute_and_nothing_else(ada: Person, clock: StandingClock) -> None:
    answer = await ada.do("POST", "/stream/tickets")
    ticket = answer.json()["ticket"]
    assert answer.json()["expires_in"] == 60
    async with streaming(ada, ticket=ticket) as stream:
        await ada.post("seen by ticket")
        assert await stream.texts(1) == ["seen by ticket"]
    refused = await ada.http.get("/users/me", headers={"authorization": f"Bearer {ticket}"})
    assert refused.status_code == 401
    clock.forward(MINUTE)
    late = await ada.http.get("/stream", params={"ticket": ticket})
    assert (late.status_code, problem(late)) == (401, "not-signed-in")


async def test_a_ticket_dies_with_its_session(ada: Person) -> None:
    ticket = (await ada.do("POST", "/stream/tickets")).json()["ticket"]
    await ada.do("POST", "/auth/logout")
    assert (await ada.http.get("/stream", params={"ticket": ticket})).status_code == 401


async def test_what_cannot_be_streamed_is_refused_before_it_begins(ada: Person, service: Service) -> None:
    http = ada.http
    service.composition.query_side.streams.most = 1
    nobody = await http.get("/stream")
    assert (nobody.status_code, problem(nobody)) == (401, "not-signed-in")
    forged = await http.get("/stream", headers=ada.bearer | {"last-event-id": "Zm9yZ2Vk"})
    assert (forged.status_code, problem(forged)) == (400, "bad-cursor")
    head = await http.head("/stream", headers=ada.bearer)
    assert (head.status_code, head.content) == (200, b"")
    async with streaming(ada):
        full = await http.get("/stream", headers=ada.bearer)
        assert (full.status_code, problem(full)) == (503, "unavailable")
        assert full.headers["retry-after"]


async def test_a_client_that_left_is_forgotten(ada: Person, service: Service) -> None:
    async with streaming(ada):
        assert service.composition.query_side.hub.open == 1
    while service.composition.query_side.hub.open:
        await ada.read("/users/me")


async def test_streams_end_when_the_server_stops(ada: Person, service: Service) -> None:
    async with streaming(ada) as stream:
        service.composition.close()
        assert await stream.ended()


async def test_a_web_socket_tells_the_same_and_goes_on_where_it_was(api: str, ada: Person, bob: Person) -> None:
    await bob.follow(ada)
    url = api.replace("http", "ws") + "/ws"
    async with connect(url, additional_headers=bob.bearer) as socket, streaming(bob) as stream:
        assert (await frame(socket))["event"] == "still-here"
        await ada.post("one")
        told = await frame(socket)
        assert (told["event"], told["data"]) == (await stream.next())[::2]
    await ada.post("two")
    ticket = (await bob.do("POST", "/stream/tickets")).json()["ticket"]
    async with connect(f"{url}?ticket={ticket}&last_event_id={told['id']}") as socket:
        frames = [await frame(socket) for _ in range(2)]
        assert [one["event"] for one in frames] == ["still-here", "tweet"]
        assert frames[1]["data"]["tweet"]["text"] == "two"


async def frame(socket: Any) -> Json:
    found: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), IN_TIME_S))
    return found


async def closed(url: str, **headers: str) -> int | None:
    async with connect(url, additional_headers=headers) as socket:
        with pytest.raises(ConnectionClosed) as raised:
            await frame(socket)
    return raised.value.rcvd.code if raised.value.rcvd else None


async def test_a_web_socket_is_closed_with_a_reason(api: str, ada: Person) -> None:
    url = api.replace("http", "ws") + "/ws"
    assert await closed(url) == 4401
    assert await closed(url, authorization="Bearer nonsense") == 4401
    assert await closed(f"{url}?ticket=nonsense") == 4401
    assert await closed(f"{url}?last_event_id=nonsense", **ada.bearer) == 4400


async def test_a_web_socket_ends_with_its_session(api: str, ada: Person, bob: Person, service: Service) -> None:
    service.composition.query_side.streams.heartbeat_s = 0.05
    async with connect(api.replace("http", "ws") + "/ws", additional_headers=ada.bearer) as socket:
        await frame(socket)
        await ada.do("POST", "/auth/logout")
        assert [json.loads(one)["event"] async for one in socket if "counts" in one] == []
    while service.composition.query_side.hub.open:
        await bob.read("/users/me")


async def test_nobody_else_is_told_of_a_stranger(api: str, http: httpx.AsyncClient, ada: Person) -> None:
    people = [await join(http, f"person{n}") for n in range(5)]
    await people[0].follow(ada)
    async with streaming(people[0]) as follower, streaming(people[1]) as stranger:
        await ada.post("to my followers")
        assert await follower.texts(1) == ["to my followers"]
        await people[1].post("to myself")
        assert await stranger.texts(1) == ["to myself"]
