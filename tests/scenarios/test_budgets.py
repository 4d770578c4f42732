"""Every request counts against a budget of its account or address, before anything is done for it."""

from __future__ import annotations

import httpx
import pytest

from tests.scenarios.people import Person
from tests.scenarios.service import Service, StandingClock, problem


def with_limits(**limits: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("settings", [{"rate_limits": limits}])


async def refused(answer: httpx.Response, policy: str) -> None:
    assert (answer.status_code, problem(answer)) == (429, "too-many")
    assert answer.headers["ratelimit-policy"].startswith(f'"{policy}";')
    assert int(answer.headers["retry-after"]) >= 1


@with_limits(writes_a_minute=6)
async def test_writes_of_any_kind_are_limited_by_account(ada: Person, bob: Person, clock: StandingClock) -> None:
    tweet = (await ada.post("one"))["id"]
    for n in range(5):
        await ada.request("DELETE" if n % 2 else "POST", f"/tweets/{tweet}/like")
    others = (("POST", f"/tweets/{tweet}/bookmark"), ("PATCH", "/users/me"), ("POST", "/tweets"), ("PUT", "/x"))
    for method, path in others:
        await refused(await ada.request(method, path, json={}), "writes")
    assert (await ada.get("/feed")).status_code == 200
    assert (await bob.request("POST", f"/tweets/{tweet}/like")).status_code == 204
    clock.forward(10_000)
    assert (await ada.request("POST", f"/tweets/{tweet}/bookmark")).status_code == 204


@with_limits(reads_a_minute=3)
async def test_reads_are_limited_by_account(ada: Person, bob: Person) -> None:
    for path in ("/feed", "/users/me", "/nothing"):
        assert (await ada.get(path)).status_code != 429
    await refused(await ada.get("/feed"), "reads")
    await refused(await ada.get("/stream"), "reads")
    assert (await ada.request("POST", "/stream/tickets")).status_code == 201
    assert (await bob.get("/feed")).status_code == 200


@with_limits(anonymous_writes_a_minute=3)
async def test_writes_without_signing_in_are_limited_by_address(http: httpx.AsyncClient) -> None:
    for path in ("/auth/login", "/auth/refresh", "/tweets"):
        assert (await http.post(path, json={}, headers={"authorization": "Bearer nothing"})).status_code in (401, 422)
    await refused(await http.post("/auth/register", json={}), "anonymous-writes")
    await refused(await http.request("BREW", "http://test/coffee"), "anonymous-writes")
    other = await http.post("/auth/register", json={}, headers={"x-forwarded-for": "203.0.113.8"})
    assert other.status_code == 422


@with_limits(anonymous_reads_a_minute=2)
@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/problems/gone", "/nothing", "/api/v1/feed"])
async def test_reads_at_the_root_and_with_bad_tokens_are_limited_by_address(http: httpx.AsyncClient, path: str) -> None:
    for _ in range(2):
        answer = await http.get(f"http://test{path}", headers={"authorization": "Bearer nothing"})
        assert answer.status_code != 429
    await refused(await http.get(f"http://test{path}", headers={"authorization": "Bearer nothing"}), "anonymous-reads")
    for probe in ("/healthz", "/readyz"):
        assert (await http.get(f"http://test{probe}")).status_code in (200, 503)


@with_limits(files_a_minute=2)
async def test_pictures_have_a_budget_of_their_own(http: httpx.AsyncClient) -> None:
    path = "http://test/media/019a7b27-d780-7000-8738-334455667788/original"
    for _ in range(2):
        assert (await http.get(path)).status_code == 404
    await refused(await http.get(path), "files")
    assert (await http.get("/public")).status_code == 200


@with_limits(anonymous_reads_a_minute=2)
async def test_a_network_of_ipv6_has_one_budget(http: httpx.AsyncClient) -> None:
    for n in range(2):
        assert (await http.get("/public", headers={"x-forwarded-for": f"2001:db8:1:2::{n}"})).status_code == 200
    await refused(await http.get("/public", headers={"x-forwarded-for": "2001:db8:1:2:ffff::3"}), "anonymous-reads")
    assert (await http.get("/public", headers={"x-forwarded-for": "2001:db8:1:3::1"})).status_code == 200


async def test_metrics_are_for_addresses_in_the_settings(service: Service, http: httpx.AsyncClient) -> None:
    """The client of these tests is an address of the public network behind a trusted proxy."""
    answer = await http.get("http://test/metrics")
    assert (answer.status_code, problem(answer)) == (403, "not-allowed")
    for address in ("10.1.2.3", "::1", "::ffff:192.168.0.1", "127.0.0.1"):
        assert (await http.get("http://test/metrics", headers={"x-forwarded-for": address})).status_code == 200
