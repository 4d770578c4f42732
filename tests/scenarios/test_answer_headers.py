"""Headers for browsers and caches in every response (OWASP ASVS 5.0, 3.4 and 14.3)."""

from __future__ import annotations

import httpx
import pytest

from tests.scenarios.people import Person
from tests.scenarios.service import ADA, PASSWORD, bearer, registered

ROOT = "http://test"


async def test_what_a_signed_in_client_is_answered_is_kept_by_no_cache(ada: Person, http: httpx.AsyncClient) -> None:
    tweet = (await ada.post("mine"))["id"]
    for path in (
        "/feed",
        "/feed?limit=2",
        f"/tweets/{tweet}",
        "/users/me",
        "/notifications",
        "/tweets/none",
        "/nothing",
    ):
        for method in ("GET", "HEAD"):
            assert (await ada.request(method, path)).headers["cache-control"] == "no-store", path
    etag = (await ada.get(f"/tweets/{tweet}")).headers["etag"]
    known = await ada.request("GET", f"/tweets/{tweet}", headers={"if-none-match": etag})
    assert (known.status_code, known.headers["cache-control"]) == (304, "no-store")
    refused = await http.get("/feed", headers={"authorization": "Bearer nothing"})
    assert refused.headers["cache-control"] == "no-store"
    body = {"login": "ada", "password": "wrong"}
    assert (await http.post("/auth/login", json=body)).headers["cache-control"] == "no-store"
    assert (await http.get("/public")).headers["cache-control"] == "no-cache"


async def test_tokens_are_kept_by_no_cache(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    for answer in (
        await http.post("/auth/login", json={"login": ADA["username"], "password": PASSWORD}),
        await http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]}),
        await http.get("/auth/sessions", headers=bearer(tokens)),
    ):
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/api/v1/public", "/api/v1/feed", "/api/v1/nothing", "/healthz", "/docs", "/openapi.json", "/nothing"]
)
async def test_no_answer_is_taken_for_another_type_or_framed(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(ROOT + path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policies = answer.headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "frame-ancestors 'none'" in policies[0]


async def test_every_answer_says_what_is_left_of_a_limit(ada: Person, http: httpx.AsyncClient) -> None:
    paths = (await http.get(f"{ROOT}/openapi.json")).json()["paths"]
    seen = 0
    for path, operations in paths.items():
        if path in ("/healthz", "/readyz", "/metrics"):
            continue
        for method in {"get", "post", "put", "patch", "delete"} & operations.keys():
            # A stream would not end, and signing out would be the end of this.
            asked, url = "HEAD" if method == "get" else method, f"{ROOT}{path.replace('{', '').replace('}', '')}"
            for headers in ({}, ada.bearer):
                answer = await http.request(asked, url, headers=headers)
                assert answer.status_code < 500, (method, path)
                assert {"ratelimit", "ratelimit-policy"} <= answer.headers.keys(), (method, path)
                seen += 1
    assert seen > 100
