"""A reused refresh token over HTTP: within 10 seconds it returns its successor, later it ends its session."""

import asyncio

import httpx

from command_api.domain.refresh_session import AGAIN_MS
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import StandingClock, is_signed_in, problem, refresh, registered

pytestmark = both_profiles


async def test_two_tabs_that_refresh_at_once_get_the_same_token_and_stay_signed_in(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    answers = await asyncio.gather(*(refresh(http, tokens) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    for answer in answers:
        assert await is_signed_in(http, answer.json())
    following = await refresh(http, answers[0].json())
    assert (following.status_code, await is_signed_in(http, following.json())) == (200, True)


async def test_a_refresh_whose_answer_was_lost_can_be_sent_again_for_ten_seconds(
    http: httpx.AsyncClient, clock: StandingClock
) -> None:
    tokens = await registered(http)
    lost = (await refresh(http, tokens)).json()
    clock.forward(AGAIN_MS - 1000)
    again = (await refresh(http, tokens)).json()
    assert again["refresh_token"] == lost["refresh_token"]
    clock.forward(1000)
    answer = await refresh(http, tokens)
    assert (answer.status_code, problem(answer)) == (401, "bad-refresh-token")
    assert not await is_signed_in(http, again)
    assert (await refresh(http, again)).status_code == 401


async def test_a_spent_token_is_reuse_as_soon_as_its_successor_was_used(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    following = (await refresh(http, tokens)).json()
    third = (await refresh(http, following)).json()
    assert (await refresh(http, tokens)).status_code == 401
    assert not await is_signed_in(http, third)
