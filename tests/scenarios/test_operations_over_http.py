"""Operations at the root: health, readiness, metrics, documentation."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.http_server import Front
from runtime.readiness import Part
from tests.scenarios.people import Person
from tests.scenarios.service import Service, problem

ROOT = "http://test"
OPERATOR = {"x-forwarded-for": "127.0.0.1"}
"""Metrics are for the addresses in the settings."""


async def test_it_says_that_it_is_alive(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{ROOT}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_a_program_is_told_where_to_go_from_here(http: httpx.AsyncClient) -> None:
    for accept in ("*/*", "application/json", ""):
        answer = await http.get(f"{ROOT}/", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        said = answer.json()
        assert (said["name"], said["api"]) == ("MiniTwitter", "/api/v1")
        for place in ("documentation", "openapi", "ready", "metrics"):
            assert (await http.get(ROOT + said[place], headers=OPERATOR)).status_code == 200
    assert (await http.post(f"{ROOT}/")).status_code == 405


async def test_a_browser_is_given_a_page_whose_links_lead_somewhere(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{ROOT}/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert (answer.headers["vary"], answer.headers["x-content-type-options"]) == ("Accept", "nosniff")
    style = re.search(r"<style>(.*)</style>", answer.text)
    assert style is not None
    hashed = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{hashed}'" in answer.headers["content-security-policy"]
    links = re.findall(r'href="([^"]+)"', answer.text)
    assert {"/docs", "/readyz"} <= set(links)
    for link in links:
        assert (await http.get(ROOT + html.unescape(link), headers=OPERATOR)).status_code == 200


async def test_it_says_which_part_cannot_serve(http: httpx.AsyncClient, service: Service) -> None:
    assert (await http.get(f"{ROOT}/readyz")).json() == {"ready": True, "state": "ready", "parts": []}
    service.parts += [Part("log"), Part.of("read models", down="starting")]
    answer = await http.get(f"{ROOT}/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "state": "down",
        "parts": [
            {"name": "log", "state": "ready", "detail": ""},
            {"name": "read models", "state": "down", "detail": "starting"},
        ],
    }


async def test_what_is_degraded_still_serves(http: httpx.AsyncClient, service: Service) -> None:
    service.parts += [Part("log"), Part.of("read models", degraded="serving is 9 events and 6 s behind the log")]
    answer = await http.get(f"{ROOT}/readyz")
    assert answer.status_code == 200
    assert (answer.json()["ready"], answer.json()["state"]) == (True, "degraded")


async def test_metrics_are_in_the_format_of_prometheus(http: httpx.AsyncClient, ada: Person) -> None:
    await ada.read("/feed")
    answer = await http.get(f"{ROOT}/metrics", headers=OPERATOR)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    for name in (
        "http_requests",
        "http_request_seconds",
        "http_faults",
        "cache_lookups",
        "waiting_commands",
        "streams",
    ):
        assert f"minitwitter_{name}" in families
    lookups = {(s.labels["cache"], s.labels["result"]) for s in families["minitwitter_cache_lookups"].samples}
    assert ("access tokens", "miss") in lookups
    assert all(family.documentation for family in families.values())


class Links(HTMLParser):
    """The addresses that a page loads or links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


async def test_the_documentation_loads_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = await http.get(f"{ROOT}/docs")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    links = Links()
    links.feed(page.text)
    for link in links.found:
        assert link.startswith("/") or link == "data:,"
        if link.startswith("/"):
            assert (await http.get(f"{ROOT}{link}")).status_code == 200
    assert (await http.get(f"{ROOT}/docs/README.md")).status_code == 404
    assert (await http.get(f"{ROOT}/docs/..%2F..%2Foperations.py")).status_code == 404


@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/openapi.json"])
async def test_what_programs_read_is_json(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(f"{ROOT}{path}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()


async def test_until_it_can_serve_it_says_what_it_waits_for() -> None:
    front = Front(lambda: Part.of("read models", down="tweets brought up to date: 50%"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url=ROOT) as client:
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        unready = await client.get("/readyz")
        assert (unready.status_code, unready.json()["parts"][0]["detail"]) == (503, "tweets brought up to date: 50%")
        refused = await client.get("/api/v1/feed", headers={"x-request-id": "mine"})
    assert (refused.status_code, problem(refused)) == (503, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["instance"] == refused.headers["x-request-id"] == "mine"
    assert "50%" in refused.json()["detail"]
