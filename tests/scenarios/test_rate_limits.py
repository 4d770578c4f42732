"""Rate limits: token buckets per user and per address, shown in headers (failed sign-ins: test_accounts.py)."""

from __future__ import annotations

import re

import httpx
import pytest
from prometheus_client import generate_latest

from runtime.metrics import SERVE, registry
from tests.scenarios.people import Person, join
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import DAY, MINUTE, Service, StandingClock, problem

pytestmark = both_profiles

LEFT = re.compile(r'"([a-z-]+)";r=(\d+);t=(\d+)')


def limited(answer: httpx.Response) -> int:
    """Return the seconds to wait, as a 429 states them."""
    assert (answer.status_code, problem(answer)) == (429, "too-many")
    left = LEFT.match(answer.headers["ratelimit"])
    assert left
    assert left[2] == "0"
    assert answer.headers["ratelimit-policy"].startswith(f'"{left[1]}";q=')
    return int(answer.headers["retry-after"])


async def test_five_tweets_at_once_then_one_a_second(ada: Person, clock: StandingClock) -> None:
    for n in range(5):
        answer = await ada.do("POST", "/tweets", {"text": f"{n}"})
        assert f'"tweets-burst";r={4 - n};t={n + 1}' in answer.headers["ratelimit"]
    said = '"tweets";q=300;w=86400, "tweets-burst";q=60;w=60, "writes";q='
    assert answer.headers["ratelimit-policy"].startswith(said)
    wait = limited(await ada.request("POST", "/tweets", json={"text": "too soon"}))
    assert wait == 1
    clock.forward(wait * 1000)
    await ada.post("in time")
    limited(await ada.request("POST", "/tweets", json={"text": "too soon"}))


@pytest.mark.parametrize("settings", [{"rate_limits": {"tweets_a_day": 3, "follows_a_day": 2}}])
async def test_so_many_tweets_and_follows_a_day_for_each_account(
    ada: Person, bob: Person, cyd: Person, clock: StandingClock
) -> None:
    for n in range(3):
        await ada.post(f"{n}")
    wait = limited(await ada.request("POST", "/tweets", json={"text": "one too many"}))
    assert wait == DAY / 3000
    await bob.post("bob has his own")
    await ada.follow(bob, cyd)
    assert limited(await ada.request("POST", "/users/bob/follow")) == DAY / 2000
    await ada.do("DELETE", "/users/bob/follow")
    clock.forward(wait * 1000)
    await ada.sign_in()
    await ada.post("the next day's first")
    limited(await ada.request("POST", "/tweets", json={"text": "one too many"}))


async def test_what_is_left_of_the_follows_is_told(ada: Person, bob: Person) -> None:
    answer = await ada.do("POST", "/users/bob/follow")
    assert answer.headers["ratelimit-policy"].startswith('"follows";q=400;w=86400, "writes";q=')
    assert LEFT.findall(answer.headers["ratelimit"])[0] == ("follows", "399", "216")


@pytest.mark.parametrize("settings", [{"rate_limits": {"anonymous_reads_a_minute": 3}}])
async def test_reads_of_those_who_are_not_signed_in_are_limited_by_address(
    http: httpx.AsyncClient, ada: Person, clock: StandingClock
) -> None:
    for n in range(3):
        answer = await http.get("/public" if n else "/trends")
        assert answer.headers["ratelimit-policy"] == '"anonymous-reads";q=3;w=60'
        assert LEFT.findall(answer.headers["ratelimit"]) == [("anonymous-reads", f"{2 - n}", f"{20 * (n + 1)}")]
    for path in ("/public", "/nothing/here"):
        assert limited(await http.get(path)) == 20
    assert (await http.head("/users/ada")).status_code == 429
    assert (await http.get("/public", headers={"x-forwarded-for": "198.51.100.9"})).status_code == 200
    signed_in = await ada.get("/public")
    assert (signed_in.status_code, LEFT.findall(signed_in.headers["ratelimit"])[0][0]) == (200, "reads")
    assert (await http.get("http://test/healthz")).status_code == 200
    clock.forward(20_000)
    assert (await http.get("/public")).status_code == 200
    limited(await http.get("/public"))


@pytest.mark.parametrize("settings", [{"rate_limits": {"anonymous_reads_a_minute": 1}, "trusted_proxies": ()}])
async def test_an_address_is_believed_from_trusted_proxies_only(http: httpx.AsyncClient) -> None:
    assert (await http.get("/public", headers={"x-forwarded-for": "198.51.100.1"})).status_code == 200
    limited(await http.get("/public", headers={"x-forwarded-for": "198.51.100.2"}))


async def test_who_is_limited_is_counted(ada: Person, service: Service, clock: StandingClock) -> None:
    def refused() -> float:
        found = re.search(
            rb'minitwitter_rate_limited_total\{policy="tweets-burst"\} (\S+)', generate_latest(registry(SERVE))
        )
        return float(found[1]) if found else 0

    before = refused()
    for n in range(7):
        await ada.request("POST", "/tweets", json={"text": f"{n}"})
    assert refused() == before + 2


async def test_what_is_refused_as_invalid_costs_nothing(
    ada: Person, http: httpx.AsyncClient, clock: StandingClock
) -> None:
    for _ in range(20):
        assert (await ada.request("POST", "/tweets", json={"text": ""})).status_code == 422
    for n in range(5):
        await ada.post(f"{n}")
    clock.forward(MINUTE)
    await (await join(http, "new")).post("hello")
