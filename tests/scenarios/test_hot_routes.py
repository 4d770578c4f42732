"""The hot routes answer as the documented ones do, byte for byte, for valid and invalid requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from events.log import Positions
from events.tweets import TweetPosted
from rest.edge import Edge
from tests.records import event_of
from tests.scenarios.people import Person
from tests.scenarios.service import MINUTE, Service, StandingClock

NOBODYS = "019a7b27-d780-7000-8738-334455667788"


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"max_body_bytes": 4096, "rate_limits": {"tweets_burst": 1000}}


@pytest.fixture
async def documented(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """Return the same application without hot routes."""
    edge = service.composition.application
    assert isinstance(edge, Edge)
    match = edge._match

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        edge._match = lambda method, path, query: None
        try:
            await edge(scope, receive, send)
        finally:
            edge._match = match

    transport = httpx.ASGITransport(app=answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
        yield client


@pytest.fixture
async def hot(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=service.composition.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
        yield client


class Both:
    """Sends a request to both applications, with the same state and ids, and compares the responses."""

    def __init__(self, service: Service, hot: httpx.AsyncClient, documented: httpx.AsyncClient) -> None:
        self._service = service
        self._clients = (hot, documented)
        self.taken = 0

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        await self._service.views.project()
        edge = self._service.composition.application
        assert isinstance(edge, Edge)
        hot = edge._match
        asked = httpx.Request(method, f"http://test/api/v1{path}").url
        if hot(method, asked.path, asked.query):
            self.taken += 1
        headers = {"x-request-id": "both", "traceparent": f"00-{'1' * 32}-{'2' * 16}-00"} | options.pop("headers", {})
        answers = [await client.request(method, path, headers=headers, **options) for client in self._clients]
        first, second = (self._comparable(answer) for answer in answers)
        assert first == second, (method, path, options)
        return answers[0]

    def _comparable(self, answer: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
        # Two tweets have two ids, and the second leaves less of the limit.
        own = answer.json()["id"] if answer.status_code == 201 else "no id of its own"
        headers = [(k, v.replace(own, "ID")) for k, v in answer.headers.multi_items()]
        left = [(k, "LEFT" if k == "ratelimit" and own else v) for k, v in headers if k != "consistency-token"]
        return answer.status_code, answer.text.replace(own, "ID"), sorted(left)


@pytest.fixture
def both(service: Service, hot: httpx.AsyncClient, documented: httpx.AsyncClient) -> Both:
    return Both(service, hot, documented)


@pytest.fixture
async def tweets(ada: Person, bob: Person, clock: StandingClock) -> list[str]:
    await ada.follow(bob)
    posted = []
    for n in range(5):
        clock.forward(1000)
        posted.append((await bob.post(f"tweet {n} #tag @ada", location={"lat": 1.5, "lon": 2}))["id"])
    await ada.after(bob).do("POST", f"/tweets/{posted[0]}/retweet")
    return posted


async def test_a_tweet_is_read_alike(both: Both, ada: Person, bob: Person, cyd: Person, tweets: list[str]) -> None:
    quote = (await ada.post("quoted", quote_of=tweets[0], sensitive=True))["id"]
    await bob.do("DELETE", f"/tweets/{tweets[1]}")
    await bob.do("PATCH", f"/tweets/{tweets[2]}", {"text": "edited"})
    await bob.do("POST", "/users/cyd/block")
    bearers: list[dict[str, str]] = [{}, ada.bearer, bob.bearer, cyd.bearer, {"authorization": "Bearer nonsense"}]
    for bearer in bearers:
        for id_ in (*tweets, quote, NOBODYS, NOBODYS.upper(), "x" * 36, "none", "%C3%A9" * 6, f"{tweets[0]}x"):
            answer = await both.send("GET", f"/tweets/{id_}", headers=bearer)
            if "etag" in answer.headers:
                tag = answer.headers["etag"]
                for sent in (tag, f"W/{tag}", "*", '"other"', f'"other", {tag}', ""):
                    await both.send("GET", f"/tweets/{id_}", headers=bearer | {"if-none-match": sent})
        await both.send("GET", f"/tweets/{tweets[0]}?x=1", headers=bearer)
        await both.send("GET", f"/tweets/{tweets[0]}", headers=bearer | {"consistency-token": "forged"})
        await both.send("GET", f"/tweets/{tweets[0]}", headers=bearer | {"consistency-token": ada.token})
    assert both.taken > 100


async def test_the_feed_is_read_alike(both: Both, ada: Person, bob: Person, tweets: list[str]) -> None:
    for bearer in ({}, ada.bearer, bob.bearer, {"authorization": "Bearer nonsense"}):
        for query in (
            "", "?", "?limit=1", "?limit=3", "?limit=20", "?limit=100", "?limit=0", "?limit=101", "?limit=-1",
            "?limit=01", "?limit=x", "?limit=", "?limit=1&limit=2", "?limit=2&x=1", "?limit=2&", "?cursor=x",
            "?LIMIT=2",
        ):  # fmt: skip
            await both.send("GET", f"/feed{query}", headers=bearer)
        await both.send("GET", "/feed?limit=2", headers=bearer | {"host": "feeds.example:8080"})
        await both.send("GET", "/feed", headers=bearer | {"consistency-token": "forged"})
    assert both.taken > 20
    page = await both.send("GET", "/feed?limit=2", headers=ada.bearer)
    rest = await both.send("GET", f"/feed?cursor={page.json()['next_cursor']}", headers=ada.bearer)
    assert len(page.json()["items"] + rest.json()["items"]) == 6


async def test_a_tweet_is_posted_alike(
    both: Both, ada: Person, bob: Person, cyd: Person, tweets: list[str], clock: StandingClock, service: Service
) -> None:
    await bob.do("DELETE", f"/tweets/{tweets[1]}")
    await bob.do("POST", "/users/cyd/block")
    bodies: list[Any] = [
        {"text": "hello"},
        {"text": "hello", "reply_to": tweets[0], "quote_of": tweets[2]},
        {"text": "#tag @ada https://example.org", "location": {"lat": 1, "lon": 2, "name": "x"}, "sensitive": True},
        {"text": "x", "content_warning": "w", "reply_to": None},
        {"text": "x", "reply_to": tweets[1]},
        {"text": "x", "quote_of": NOBODYS},
        {"text": "x", "reply_to": "nonsense"},
        {"text": "x", "location": {"lat": 91, "lon": "2"}},
        {"text": "x", "location": {"lat": True, "lon": 1}},
        {"text": "x", "unknown": 1, "sensitive": 1},
        {"text": "x" * 281},
        {"text": " "},
        {"text": 3},
        {},
        [],
        "text",
        None,
        3,
    ]  # fmt: skip
    raw = [b"", b"{", b'{"text": "\\ud800"}', b'{"text": NaN}', b"[" * 300, b'{"text": "a", "text": "b"}', b"\xff"]
    raw += [b'{"text": "x", "location": {"lat": 1e999, "lon": 0}}', b'{"text": "' + b"x" * 5000 + b'"}']
    bearers: list[dict[str, str]] = [ada.bearer, cyd.bearer, {}, {"authorization": "Basic x"}]
    for bearer in bearers:
        for body in bodies:
            await both.send("POST", "/tweets", json=body, headers=bearer)
        for content in raw:
            for kind in ("application/json", "application/json;charset=utf-8", "APPLICATION/JSON ", "text/plain", ""):
                headers = bearer | ({"content-type": kind} if kind else {})
                await both.send("POST", "/tweets", content=content, headers=headers)
        await both.send("POST", "/tweets?x=1", json={"text": "x"}, headers=bearer)
        await both.send("POST", "/tweets", json={"text": "x"}, headers=bearer | {"idempotency-key": "x" * 256})
    assert both.taken > 200


async def test_what_is_kept_and_what_is_limited_is_alike(
    ada: Person, hot: httpx.AsyncClient, documented: httpx.AsyncClient, clock: StandingClock, service: Service
) -> None:
    """One after the other, since the first answer decides the second."""
    for first, second in ((hot, documented), (documented, hot)):
        headers = ada.bearer | {
            "idempotency-key": f"{id(first)}",
            "x-request-id": "r",
            "traceparent": f"00-{'1' * 32}-{'2' * 16}-00",
        }
        answers = [
            await client.post("/tweets", json={"text": "once"}, headers=headers) for client in (first, second, first)
        ]
        assert {answer.text for answer in answers} == {answers[0].text}
        assert answers[1].headers.get("idempotency-replayed") == "true"
        alike = [sorted(one for one in each.headers.multi_items() if one[0] != "ratelimit") for each in answers]
        assert alike[1] == alike[2]
        reused = [await client.post("/tweets", json={"text": "other"}, headers=headers) for client in (first, second)]
        assert [answer.status_code for answer in reused] == [422, 422]
        assert reused[0].text == reused[1].text
    clock.forward(MINUTE)
    log = service.system.log_db.connection
    log.execute("PRAGMA query_only=1")
    away = [await client.post("/tweets", json={"text": "x"}, headers=ada.bearer) for client in (hot, documented)]
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in away] == [(503, "1")] * 2
    log.execute("PRAGMA query_only=0")


async def test_every_event_of_both_is_alike(
    ada: Person, hot: httpx.AsyncClient, documented: httpx.AsyncClient, service: Service
) -> None:
    headers = ada.bearer | {"x-request-id": "r", "traceparent": f"00-{'1' * 32}-{'2' * 16}-00"}
    for client in (hot, documented):
        answer = await client.post("/tweets", json={"text": "#alike"}, headers=headers)
        assert answer.status_code == 201
    one, other = (await service.system.log.read(Positions(), 1000))[-2:]
    assert (one.about.correlation, one.about.traceparent) == (other.about.correlation, other.about.traceparent)
    tweets = [event_of(record, TweetPosted) for record in (one, other)]
    assert len({str(event).replace(event.tweet, "ID") for event in tweets}) == 1
