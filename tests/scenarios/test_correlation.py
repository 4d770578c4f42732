"""X-Request-Id and traceparent: accepted or generated, returned, and stored in every event."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from events.event import Envelope
from events.ids import is_id
from events.log import Positions
from runtime.telemetry import RequestTelemetry, configure
from tests.scenarios.people import Person
from tests.scenarios.service import ADA, Service

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def envelopes(service: Service) -> list[Envelope]:
    return [record.about for record in await service.system.log.read(Positions(), 10_000)]


async def test_what_is_given_is_returned_and_carried_in_the_events(ada: Person, service: Service) -> None:
    sent = {"x-request-id": "abc/123~X", "traceparent": TRACE}
    before = len(await envelopes(service))
    answer = await ada.do("POST", "/tweets", {"text": "hello"}, **sent)
    tweet = answer.json()["id"]
    assert {name: answer.headers[name] for name in sent} == sent
    answer = await ada.do("POST", f"/tweets/{tweet}/like", None, **sent)
    assert {name: answer.headers[name] for name in sent} == sent
    about = (await envelopes(service))[before:]
    assert {(one.correlation, one.traceparent, one.actor) for one in about} == {("abc/123~X", TRACE, ada.id)}
    assert len(about) == 2


async def test_what_is_not_given_or_makes_no_sense_is_made(ada: Person, service: Service) -> None:
    for given in (
        {},
        {"x-request-id": ""},
        {"x-request-id": "with space"},
        {"x-request-id": "x" * 129},
        {"traceparent": "nonsense"},
        {"traceparent": TRACE.upper()},
        {"traceparent": TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32)},
        {"traceparent": TRACE.replace("00f067aa0ba902b7", "0" * 16)},
    ):
        answer = await ada.do("POST", "/stream/tickets", None, **given)
        assert is_id(answer.headers["x-request-id"]), given
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", answer.headers["traceparent"]), given
    answer = await ada.do("POST", "/tweets", {"text": "hello"})
    about = (await envelopes(service))[-1]
    assert about.correlation == answer.headers["x-request-id"]
    assert about.traceparent == answer.headers["traceparent"]


async def test_each_request_gets_its_own(http: httpx.AsyncClient) -> None:
    answers = [await http.get("/public") for _ in range(50)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 50
    assert len({answer.headers["traceparent"] for answer in answers}) == 50


async def test_every_answer_has_both(http: httpx.AsyncClient, ada: Person) -> None:
    tweet = (await ada.post("hello"))["id"]
    etag = (await ada.get(f"/tweets/{tweet}")).headers["etag"]
    for answer in (
        await http.get("http://test/healthz"),
        await http.get("http://test/nothing"),
        await http.get("/feed"),
        await http.put("/tweets"),
        await http.post("/auth/login", content=b"{"),
        await ada.request("GET", f"/tweets/{tweet}", headers={"if-none-match": etag}),
        await ada.request("HEAD", f"/tweets/{tweet}"),
        await ada.request("DELETE", f"/tweets/{tweet}"),
    ):
        assert answer.headers["x-request-id"], answer
        assert answer.headers["traceparent"], answer
        if answer.is_error:
            assert answer.json()["instance"] == answer.headers["x-request-id"]


async def test_all_events_of_a_request_carry_its_id(http: httpx.AsyncClient, service: Service) -> None:
    answer = await http.post("/auth/register", json=ADA, headers={"x-request-id": "registering"})
    assert answer.status_code == 201
    assert [one.correlation for one in await envelopes(service)] == ["registering"] * 2


def test_what_is_served_is_logged_with_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "serve")
    try:
        RequestTelemetry().request("one", "GET", "/api/v1/feed", 200, 0.0015)
        RequestTelemetry().request("two", "POST", "/api/v1/tweets", 503, 0.001)
        RequestTelemetry().fault("three", ValueError("a fault"))
    finally:
        configure("warning", "tests")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["correlation"], line["level"]) for line in lines] == [
        ("one", "debug"),
        ("two", "warning"),
        ("three", "error"),
    ]
    assert (lines[0]["method"], lines[0]["route"], lines[0]["status"], lines[0]["ms"]) == (
        "GET",
        "/api/v1/feed",
        200,
        1.5,
    )
    assert "ValueError: a fault" in lines[2]["exception"]
