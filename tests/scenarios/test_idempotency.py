"""Idempotency-Key: the same command twice has one effect and one answer (law 6)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from events.tweets import TweetPosted
from tests import pictures
from tests.scenarios.people import Person, until
from tests.scenarios.service import DAY, MINUTE, Service, StandingClock, problem

KEY = {"idempotency-key": "of my own making"}


async def posted(service: Service) -> list[TweetPosted]:
    return [event for event in await service.events() if isinstance(event, TweetPosted)]


def answered(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """Return the parts of a response that must be equal: all but the parts that belong to one exchange."""
    own = {"x-request-id", "traceparent", "ratelimit", "idempotency-replayed"}
    return answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k not in own}


async def test_the_same_key_and_body_give_the_first_answer_again(ada: Person, service: Service) -> None:
    first = await ada.do("POST", "/tweets", {"text": "once"}, **KEY)
    again = await ada.do("POST", "/tweets", {"text": "once"}, **KEY)
    assert answered(first) == answered(again)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await posted(service)) == 1


async def test_without_a_key_the_same_body_is_another_tweet(ada: Person, service: Service) -> None:
    assert (await ada.post("twice"))["id"] != (await ada.post("twice"))["id"]
    assert len(await posted(service)) == 2


async def test_what_is_answered_again_counts_towards_no_limit(ada: Person) -> None:
    for _ in range(20):
        await ada.do("POST", "/tweets", {"text": "once"}, **KEY)
    other = await ada.do("POST", "/tweets", {"text": "the second"})
    assert other.headers["ratelimit"].startswith('"tweets";r=298;')


async def test_an_answer_is_given_again_where_the_limit_is_reached(ada: Person, service: Service) -> None:
    first = await ada.do("POST", "/tweets", {"text": "once"}, **KEY)
    while (answer := await ada.request("POST", "/tweets", json={"text": "more"})).is_success:
        pass
    assert (answer.status_code, problem(answer)) == (429, "too-many")
    before = len(await posted(service))
    again = await ada.do("POST", "/tweets", {"text": "once"}, **KEY)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    reused = await ada.request("POST", "/tweets", json={"text": "other"}, headers=KEY)
    assert (reused.status_code, problem(reused)) == (422, "idempotency-key-reused")
    new = await ada.request("POST", "/tweets", json={"text": "new"}, headers={"idempotency-key": "another"})
    assert (new.status_code, problem(new)) == (429, "too-many")
    assert new.headers["retry-after"]
    assert len(await posted(service)) == before


@pytest.mark.parametrize("settings", [{"rate_limits": {"uploads_a_day": 1}}])
async def test_an_upload_is_answered_again_where_the_limit_is_reached(ada: Person) -> None:
    file = {"file": ("a.png", pictures.png(), "image/png")}
    first = await ada.request("POST", "/media", files=file, headers=KEY)
    assert first.status_code == 201
    for headers in ({}, {"idempotency-key": "another"}):
        refused = await ada.request("POST", "/media", files=file, headers=headers)
        assert (refused.status_code, problem(refused)) == (429, "too-many")
    again = await ada.request("POST", "/media", files=file, headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)


async def test_a_key_serves_one_request_only(ada: Person, service: Service) -> None:
    tweet = (await ada.do("POST", "/tweets", {"text": "first"}, **KEY)).json()["id"]
    for path, body in (
        ("/tweets", {"text": "other"}),
        ("/tweets", {"text": "first", "sensitive": False}),
        (f"/tweets/{tweet}/like", None),
        ("/stream/tickets", None),
    ):
        answer = await ada.request("POST", path, json=body, headers=KEY)
        assert (answer.status_code, problem(answer)) == (422, "idempotency-key-reused"), path
    assert len(await posted(service)) == 1


@pytest.mark.parametrize("settings", [{"rate_limits": {"tweets_burst": 20}}])
async def test_of_requests_with_one_key_at_once_one_runs_and_the_others_are_told_to_wait_or_given_its_answer(
    ada: Person, service: Service
) -> None:
    body = {"json": {"text": "at once"}, "headers": KEY}
    answers = await asyncio.gather(*(ada.request("POST", "/tweets", **body) for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len(await posted(service)) == 1


async def test_while_the_first_still_runs_it_is_a_409_that_says_when_to_come_back(
    ada: Person, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = service.system.log_db.commits
    goes_on = asyncio.Event()

    async def slow_disk(work: Any) -> None:
        await goes_on.wait()
        work()

    monkeypatch.setattr(commits, "_off_loop", slow_disk)
    body = {"json": {"text": "slow"}, "headers": KEY}
    first = asyncio.ensure_future(ada.request("POST", "/tweets", **body))
    await until(lambda: service.composition.commands.in_hand.count)
    second = await ada.request("POST", "/tweets", **body)
    assert (second.status_code, problem(second)) == (409, "still-running")
    assert int(second.headers["retry-after"]) > 0
    goes_on.set()
    assert (await first).status_code == 201
    assert (await ada.request("POST", "/tweets", **body)).headers["idempotency-replayed"] == "true"


async def test_keys_are_each_users_own(ada: Person, bob: Person, service: Service) -> None:
    mine = await ada.do("POST", "/tweets", {"text": "hello"}, **KEY)
    other = await bob.do("POST", "/tweets", {"text": "hello"}, **KEY)
    assert mine.json()["author"]["username"] == "ada"
    assert other.json()["author"]["username"] == "bob"
    assert len(await posted(service)) == 2


async def test_a_key_is_remembered_for_24_hours(ada: Person, service: Service, clock: StandingClock) -> None:
    first = (await ada.do("POST", "/tweets", {"text": "today"}, **KEY)).json()["id"]
    clock.forward(DAY - 1)
    await ada.sign_in()
    again = await ada.do("POST", "/tweets", {"text": "today"}, **KEY)
    assert (again.json()["id"], again.headers["idempotency-replayed"]) == (first, "true")
    clock.forward(1)
    anew = await ada.do("POST", "/tweets", {"text": "another day"}, **KEY)
    assert "idempotency-replayed" not in anew.headers
    assert len(await posted(service)) == 2


async def test_a_refusal_is_an_answer_like_any_other(ada: Person, bob: Person, clock: StandingClock) -> None:
    tweet = (await ada.post("hello"))["id"]
    await ada.do("POST", "/users/bob/block")
    first = await bob.request("POST", f"/tweets/{tweet}/like", headers=KEY)
    assert (first.status_code, problem(first)) == (404, "not-found")
    await ada.do("DELETE", "/users/bob/block")
    again = await bob.request("POST", f"/tweets/{tweet}/like", headers=KEY)
    assert answered(again) == answered(first)
    assert again.headers["idempotency-replayed"] == "true"
    await bob.do("POST", f"/tweets/{tweet}/like", None, **{"idempotency-key": "another"})


async def test_what_was_invalid_is_not_remembered(ada: Person) -> None:
    assert (await ada.request("POST", "/tweets", json={"txt": "oops"}, headers=KEY)).status_code == 422
    await ada.do("POST", "/tweets", {"text": "as it should be"}, **KEY)


async def test_every_post_outside_auth_takes_a_key(ada: Person, bob: Person, clock: StandingClock) -> None:
    tweet = (await bob.post("@ada hello"))["id"]
    newest = (await ada.after(bob).read("/notifications"))["items"][0]["id"]
    bodies: dict[str, Any] = {"/notifications/read": {"up_to": newest}, "/tweets": {"text": "x"}}
    for n, path in enumerate(
        (
            "/tweets",
            f"/tweets/{tweet}/like",
            f"/tweets/{tweet}/retweet",
            f"/tweets/{tweet}/bookmark",
            "/users/bob/follow",
            "/users/bob/mute",
            "/users/bob/block",
            f"/notifications/{newest}/read",
            "/notifications/read",
            "/stream/tickets",
        )
    ):
        key = {"idempotency-key": f"key {n}"}
        first = await ada.do("POST", path, bodies.get(path), **key)
        clock.forward(MINUTE)
        again = await ada.do("POST", path, bodies.get(path), **key)
        assert again.headers.get("idempotency-replayed") == "true", path
        assert answered(first) == answered(again)


async def test_what_is_a_state_is_idempotent_without_a_key(ada: Person, bob: Person, service: Service) -> None:
    tweet = (await bob.post("hello"))["id"]
    paths = [f"/tweets/{tweet}/{what}" for what in ("like", "retweet", "bookmark")]
    paths += [f"/users/bob/{what}" for what in ("follow", "mute", "block")]
    for path in paths:
        for method in ("POST", "DELETE"):
            if (method, path) == ("POST", "/users/bob/block"):
                await ada.do("POST", "/users/bob/follow")
            await ada.do(method, path)
            before = len(await service.events())
            await ada.do(method, path)
            assert len(await service.events()) == before, (method, path)


async def test_a_key_has_1_to_255_printable_characters(ada: Person) -> None:
    for key in ("", "x" * 256, "t\u00e4g", "tab\tkey"):
        headers = [
            (b"idempotency-key", key.encode("latin-1")),
            (b"authorization", ada.bearer["authorization"].encode()),
        ]
        answer = await ada.http.post("/tweets", json={"text": "x"}, headers=headers)
        assert (answer.status_code, problem(answer)) == (400, "bad-request"), key
    for key in ("x", "~" * 255, "with spaces, and commas"):
        await ada.do("POST", "/tweets", {"text": "x"}, **{"idempotency-key": key})


async def test_no_answer_of_auth_is_kept(ada: Person, service: Service) -> None:
    body = {"login": "ada", "password": "correct horse battery"}
    answers = [await ada.http.post("/auth/login", json=body, headers=ada.bearer | KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["refresh_token"] != answers[1].json()["refresh_token"]
    kept = service.system.log_db.connection.execute("SELECT count(*) FROM idempotency").get
    assert kept == 0
