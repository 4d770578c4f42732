"""Rules of every endpoint: methods, HEAD, CORS, formats of ids and times."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Match

from rest.openapi import routed
from rest.routing import attach
from runtime.routes import ROUTERS
from tests.scenarios.people import Person
from tests.scenarios.service import Service, problem

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def test_head_answers_as_get_does_without_the_body(ada: Person, http: httpx.AsyncClient) -> None:
    tweet = (await ada.post("hello"))["id"]
    own = {"x-request-id", "traceparent", "ratelimit"}
    for path in (
        f"/tweets/{tweet}",
        "/feed",
        "/feed?limit=1",
        "/users/me",
        "/public",
        "/tweets/none",
        "/nothing",
        "http://test/healthz",
        "http://test/openapi.json",
        "http://test/docs",
    ):
        get, head = await ada.get(path), await ada.request("HEAD", path)
        assert head.status_code == get.status_code, path
        assert head.content == b""
        headers = [{k: v for k, v in answer.headers.items() if k not in own} for answer in (get, head)]
        for known in headers:
            known["content-length"] = "" if get.is_error else known["content-length"]  # problems tell their instance
        assert headers[0] == headers[1], path


ALLOWED = {
    "/tweets": "POST",
    "/tweets/019a7b27-d780-7000-8738-334455667788": "DELETE, GET, HEAD, PATCH",
    "/tweets/x/like": "DELETE, POST",
    "/tweets/x/likes": "GET, HEAD",
    "/feed": "GET, HEAD",
    "/users/me": "GET, HEAD, PATCH",
    "/users/ada/follow": "DELETE, POST",
    "/auth/login": "POST",
    "/stream": "GET, HEAD",
    "http://test/healthz": "GET, HEAD",
    "http://test/openapi.json": "GET, HEAD",
}


async def test_a_method_that_a_path_does_not_have_is_a_405_that_names_those_that_it_has(
    http: httpx.AsyncClient, ada: Person
) -> None:
    for path, allowed in ALLOWED.items():
        for method in ("PUT", "TRACE", "POST", "PATCH", "DELETE", "OPTIONS", "BREW"):
            if method in allowed:
                continue
            answer = await http.request(method, path, headers=ada.bearer)
            assert (answer.status_code, problem(answer)) == (405, "method-not-allowed"), (method, path)
            assert answer.headers["allow"] == allowed, path


async def test_a_path_with_a_slash_at_its_end_is_another(http: httpx.AsyncClient) -> None:
    for path in ("/public/", "/users/ada/", "//public"):
        assert (await http.get(f"http://test/api/v1{path}")).status_code == 404


def walk(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, name)
    else:
        yield name, value


async def test_ids_and_times_have_one_format_and_ids_sort_by_time(ada: Person, bob: Person) -> None:
    first = await ada.post("one @bob #tag https://example.org", location={"lat": 1, "lon": 2, "name": "here"})
    second = await bob.post("two", reply_to=first["id"])
    assert first["id"] < second["id"]
    await bob.do("PATCH", f"/tweets/{second['id']}", {"text": "two, edited"})
    await bob.do("POST", f"/tweets/{first['id']}/retweet")
    await ada.follow(bob)
    ada.after(bob)
    seen: dict[str, set[str]] = {"ids": set(), "times": set()}
    for path in (
        "/feed",
        f"/tweets/{first['id']}/conversation",
        f"/tweets/{second['id']}/history",
        "/notifications",
        "/users/me",
        "/users/bob",
        "/auth/sessions",
        "/trends",
        "/sentiment?tag=tag",
    ):
        for name, value in walk(await ada.read(path)):
            assert re.fullmatch("[a-z_]+", name), (path, name)
            if name == "id" or (name.endswith("_id") and value is not None):
                assert UUID7.fullmatch(value), (path, name, value)
                seen["ids"].add(name)
            elif (name.endswith("_at") or name in ("at", "as_of", "start", "end")) and isinstance(value, str):
                assert TIME.fullmatch(value), (path, name, value)
                seen["times"].add(name)
    assert seen == {
        "ids": {"id", "author_id", "conversation_id"},
        "times": {"at", "created_at", "edited_at", "started_at", "as_of", "start", "end"},
    }


ORIGIN = "https://app.example"


@pytest.mark.parametrize("settings", [{"cors_origins": (ORIGIN,)}])
async def test_browsers_of_listed_origins_may_call(http: httpx.AsyncClient, ada: Person) -> None:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization, content-type, idempotency-key, consistency-token, if-match",
    }
    preflight = await http.request("OPTIONS", "/tweets", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    for header in asked["access-control-request-headers"].split(", "):
        assert header in preflight.headers["access-control-allow-headers"]
    assert (await http.request("OPTIONS", "/tweets", headers=asked | {"origin": "https://evil.example"})).is_error
    for answer in (
        await ada.request("POST", "/tweets", json={"text": "hi"}, headers={"origin": ORIGIN}),
        await ada.request("GET", "/feed", headers={"origin": ORIGIN}),
        await ada.request("GET", "/nothing", headers={"origin": ORIGIN}),
    ):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "Origin" in answer.headers["vary"]
        exposed = answer.headers["access-control-expose-headers"]
        for header in ("Consistency-Token", "Link", "ETag", "RateLimit", "Retry-After", "X-Request-Id", "Location"):
            assert header in exposed
    other = await ada.request("GET", "/feed", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


async def test_browsers_of_other_sites_may_not_unless_an_origin_is_listed(http: httpx.AsyncClient) -> None:
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    assert (await http.request("OPTIONS", "/tweets", headers=asked)).status_code == 405
    answer = await http.get("/public", headers={"origin": ORIGIN})
    assert "access-control-allow-origin" not in answer.headers


async def test_reading_changes_nothing(ada: Person, bob: Person, service: Service) -> None:
    tweet = (await ada.post("hello @bob"))["id"]
    bob.after(ada)
    before = await service.events()
    for path in ("/feed", f"/tweets/{tweet}", "/notifications", "/users/ada", "/search/tweets?q=hello", "/trends"):
        await bob.read(path)
        await bob.request("HEAD", path)
    assert await service.events() == before


@pytest.mark.parametrize("routers", [ROUTERS, ROUTERS[::-1]], ids=["as listed", "reversed"])
def test_the_order_of_routers_decides_nothing(routers: tuple[APIRouter, ...]) -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    attach(app, routers)
    for route in routed(app):
        for method in route.methods or ():
            scope = {"type": "http", "path": route.path, "method": method}
            first = next(each for each in app.routes if each.matches(scope)[0] == Match.FULL)
            assert first is route, route.path
