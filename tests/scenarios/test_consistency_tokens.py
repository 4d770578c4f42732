"""Consistency-Token: a read with the token of a write includes the write."""

from __future__ import annotations

import asyncio
from functools import partial

import httpx
import pytest

from tests.scenarios.people import Person, until
from tests.scenarios.service import Service, problem


def reading(*tokens: str) -> dict[str, str]:
    return {"consistency-token": ",".join(tokens)}


async def test_every_successful_write_answers_with_a_token(ada: Person, bob: Person) -> None:
    tweet = (await bob.post("hello"))["id"]
    for method, path, body in (
        ("POST", f"/tweets/{tweet}/like", None),
        ("DELETE", f"/tweets/{tweet}/like", None),
        ("PATCH", "/users/me", {"bio": "new"}),
        ("POST", "/stream/tickets", None),
        ("POST", "/auth/password", {"current_password": "correct horse battery", "new_password": "staple of another"}),
        ("POST", "/auth/logout-all", None),
    ):
        answer = await ada.do(method, path, body)
        assert answer.headers["consistency-token"], path


async def test_a_refused_write_has_none(ada: Person) -> None:
    for path, body in (("/tweets", {"text": ""}), ("/users/nobody/follow", None), ("/users/ada/follow", None)):
        answer = await ada.request("POST", path, json=body)
        assert answer.is_client_error
        assert "consistency-token" not in answer.headers


@pytest.fixture
def unprojected(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client whose reads are answered before the read models have applied the log."""
    http.event_hooks = {}
    return http


async def test_a_read_waits_until_the_views_have_applied_the_write(
    unprojected: httpx.AsyncClient, ada: Person, service: Service
) -> None:
    written = await ada.do("POST", "/tweets", {"text": "in a moment"})
    path = f"/tweets/{written.json()['id']}"
    assert (await unprojected.get(path)).status_code == 404  # without a token it does not wait
    waiting = asyncio.ensure_future(unprojected.get(path, headers=reading(ada.token)))
    await until(lambda: service.system.applied._waiting)
    assert not waiting.done()
    await service.views.project()
    answer = await waiting
    assert (answer.status_code, answer.json()["text"]) == (200, "in a moment")
    assert "consistency" not in answer.headers


@pytest.mark.parametrize("settings", [{"consistency_wait_ms": 30}])
async def test_a_read_that_waits_in_vain_answers_with_what_there_is_and_says_so(
    unprojected: httpx.AsyncClient, ada: Person, service: Service
) -> None:
    await ada.post("first")
    await service.views.project()
    await ada.post("second")
    for path in ("/public", "/feed"):
        stale = await ada.get(path)
        assert stale.headers["consistency"] == "stale"
        assert len(stale.json()["items"]) == 1
    await service.views.project()
    current = await ada.get("/feed")
    assert "consistency" not in current.headers
    assert len(current.json()["items"]) == 2


async def test_several_tokens_are_merged_by_commas_or_lines(
    unprojected: httpx.AsyncClient, ada: Person, bob: Person, service: Service
) -> None:
    await ada.post("one")
    await bob.follow(ada)
    tokens = [ada.written[-1], bob.written[-1]]
    await service.views.project()
    assert (await unprojected.get("/public", headers=reading(*tokens))).status_code == 200
    lines = [(b"consistency-token", token.encode()) for token in tokens]
    assert (await unprojected.get("/public", headers=lines)).status_code == 200


async def test_each_of_several_tokens_is_waited_for(
    unprojected: httpx.AsyncClient, ada: Person, bob: Person, service: Service
) -> None:
    await ada.post("one")
    await service.views.project()
    seen = ada.token
    await bob.follow(ada)
    lines = [(b"consistency-token", token.encode()) for token in (bob.written[-1], seen)]
    for headers in (reading(seen, bob.written[-1]), reading(bob.written[-1], f" {seen}"), lines):
        waiting = asyncio.ensure_future(unprojected.get("/users/ada", headers=headers))
        await until(lambda: service.system.applied._waiting)
        waiting.cancel()
        service.system.applied._waiting.clear()


async def test_a_forged_or_foreign_token_is_a_400(ada: Person, http: httpx.AsyncClient) -> None:
    for name in ("one", "two"):
        await ada.post(name)
    good = ada.written[-1]
    cursor = (await ada.read("/public", limit=1))["next_cursor"]
    flipped = good[:-1] + ("A" if good[-1] != "A" else "B")
    for token in (
        "",
        "nonsense",
        flipped,
        good[1:],
        good + "A",
        cursor,
        f"{good},",
        f"{good},nonsense",
        "\u00e9",
        "a" * 3000,
    ):
        headers = [(b"consistency-token", token.encode("latin-1"))]
        for path in ("/public", "/users/ada", f"/tweets/{ada.id}"):
            answer = await http.get(path, headers=headers)
            assert (answer.status_code, problem(answer)) == (400, "bad-consistency-token"), token
        for path, status in (("/feed", 401), ("/bookmarks", 401), ("/nothing/here", 404)):
            assert (await http.get(path, headers=headers)).status_code == status, path


def reading_waits(task: asyncio.Future[httpx.Response], service: Service) -> bool:
    """Whether a read waits for its token, or was answered."""
    return task.done() or bool(service.system.applied._waiting)


async def test_a_write_that_changed_nothing_answers_with_a_token_that_shows_what_made_it_so(
    unprojected: httpx.AsyncClient, ada: Person, bob: Person, service: Service
) -> None:
    tweet = (await bob.post("hello"))["id"]
    await ada.do("POST", f"/tweets/{tweet}/like")
    await ada.follow(bob)
    for path, read in (
        (f"/tweets/{tweet}/like", f"/tweets/{tweet}/likes"),
        ("/users/bob/follow", "/users/bob/followers"),
    ):
        again = await ada.do("POST", path)
        waiting = asyncio.ensure_future(
            unprojected.get(read, headers=ada.bearer | reading(again.headers["consistency-token"]))
        )
        await until(partial(reading_waits, waiting, service))
        await service.views.project()
        assert [user["username"] for user in (await waiting).json()["items"]] == ["ada"]


async def test_the_token_of_one_topic_waits_for_no_other(
    unprojected: httpx.AsyncClient, ada: Person, bob: Person, service: Service
) -> None:
    first = await ada.do("POST", "/tweets", {"text": "hello"})
    await service.views.project()
    await bob.post("not yet there")
    answer = await unprojected.get("/public", headers=reading(first.headers["consistency-token"]))
    assert "consistency" not in answer.headers
    assert [tweet["text"] for tweet in answer.json()["items"]] == ["hello"]
