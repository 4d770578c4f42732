"""Sessions over HTTP: refreshing, signing out, and where one is signed in."""

import asyncio
import base64
import os
from pathlib import Path

import apsw
import httpx
import jwt
import pytest

from command_api.credentials import SessionsExpired
from command_api.deciding import Context
from command_api.domain.end_session import END_SESSION, EndSession
from command_api.routes.executing import CommandAnswers, no_content
from command_api.sqlite.credentials import create_credential_tables
from command_api.tokens import RefreshTokens
from events.personal import SessionEnded
from tests.scenarios.service import (
    BOB,
    DAY,
    KEEP_MS,
    LIFETIME_MS,
    REFRESH_MS,
    START,
    Service,
    StandingClock,
    bearer,
    fresh,
    is_signed_in,
    opened,
    problem,
    refresh,
    registered,
    signed_in,
)

# Refreshing


async def test_a_refresh_token_gets_the_next_tokens_of_the_same_session(
    http: httpx.AsyncClient, clock: StandingClock
) -> None:
    tokens = await registered(http)
    clock.forward(LIFETIME_MS)
    assert not await is_signed_in(http, tokens)
    answer = await refresh(http, tokens)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    following = answer.json()
    assert following.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert following["refresh_token"] != tokens["refresh_token"]
    assert await is_signed_in(http, following)
    sid = [jwt.decode(t["access_token"], options={"verify_signature": False})["sid"] for t in (tokens, following)]
    assert sid[0] == sid[1]
    assert (await refresh(http, following)).status_code == 200


async def test_a_spent_refresh_token_revokes_its_whole_family(http: httpx.AsyncClient, service: Service) -> None:
    first = await registered(http)
    elsewhere = await signed_in(http)
    second = (await refresh(http, first)).json()
    third = (await refresh(http, second)).json()
    assert await is_signed_in(http, third)
    answer = await refresh(http, first)
    assert (answer.status_code, problem(answer)) == (401, "bad-refresh-token")
    assert not await is_signed_in(http, third)
    assert not await is_signed_in(http, second)
    for tokens in (third, second, first):
        assert (await refresh(http, tokens)).status_code == 401
    assert await is_signed_in(http, elsewhere)
    assert (await refresh(http, elsewhere)).status_code == 200
    ends = [event for event in await service.events() if isinstance(event, SessionEnded)]
    assert [end.reason for end in ends] == ["token_reused"]


async def test_a_data_directory_of_before_keeps_its_sessions(
    http: httpx.AsyncClient, service: Service, tmp_path: Path, clock: StandingClock
) -> None:
    tokens = await registered(http)
    log = service.system.log_db.connection
    for column in ("spent", "spent_at"):
        log.execute(f"ALTER TABLE refresh_tokens DROP COLUMN {column}")
    create_credential_tables(log)
    following = (await refresh(http, tokens)).json()
    assert (await refresh(http, tokens)).json()["refresh_token"] == following["refresh_token"]


async def test_successors_cannot_be_made_without_the_key(clock: StandingClock) -> None:
    one, same, other = (RefreshTokens(os.urandom, clock, REFRESH_MS, key) for key in (b"key", b"key", b"other"))
    shown = one.read(one.first().text)
    assert shown is not None
    assert one.successor(shown).text == same.successor(shown).text != other.successor(shown).text


async def test_a_refresh_token_that_was_not_used_for_long_expires(
    http: httpx.AsyncClient, clock: StandingClock
) -> None:
    tokens = await registered(http)
    clock.forward(REFRESH_MS - 1)
    following = (await refresh(http, tokens)).json()
    clock.forward(REFRESH_MS)
    answer = await refresh(http, following)
    assert (answer.status_code, problem(answer)) == (401, "bad-refresh-token")


async def test_what_is_no_refresh_token_is_refused(http: httpx.AsyncClient) -> None:
    await registered(http)
    for token in ("", "x", "A" * 64, "!" * 64, "A" * 63 + "\n", "\u00fc" * 64, "A" * 200):
        answer = await refresh(http, {"refresh_token": token})
        assert (answer.status_code, problem(answer)) == (401, "bad-refresh-token"), token
        assert answer.headers["www-authenticate"]


async def test_a_made_up_token_ends_no_session(http: httpx.AsyncClient, service: Service) -> None:
    tokens = await registered(http)
    raw = base64.urlsafe_b64decode(tokens["refresh_token"])
    of_no_family = base64.urlsafe_b64encode(bytes(16) + raw[16:]).decode()
    assert (await refresh(http, {"refresh_token": of_no_family})).status_code == 401
    assert await is_signed_in(http, tokens)
    assert (await refresh(http, tokens)).status_code == 200


async def test_sessions_whose_refresh_token_expired_can_be_found_and_ended(
    http: httpx.AsyncClient, service: Service, clock: StandingClock
) -> None:
    tokens = await registered(http)
    clock.forward(DAY)
    await signed_in(http)
    clock.forward(REFRESH_MS - DAY)
    question = SessionsExpired(clock(), 10)
    (expired,) = (await service.system.commands.ask(question))[question]
    end = EndSession(expired.account, expired.id, "expired")
    await service.system.commands.execute(END_SESSION, end, Context(), CommandAnswers(no_content, ""))
    assert (await service.system.commands.ask(question))[question] == ()
    assert (await refresh(http, tokens)).status_code == 401
    again = await signed_in(http)
    listed = (await http.get("/auth/sessions", headers=await fresh(http, again))).json()["items"]
    assert expired.id not in [one["id"] for one in listed]


# Signing out


async def test_signing_out_ends_this_session_at_once_and_no_other(http: httpx.AsyncClient) -> None:
    here, there = await registered(http), await signed_in(http)
    assert await is_signed_in(http, here)
    answer = await http.post("/auth/logout", headers=bearer(here))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["consistency-token"]
    refused = await http.get("/auth/sessions", headers=bearer(here))
    assert refused.status_code == 401
    assert "the session has ended" in refused.headers["www-authenticate"]
    assert (await refresh(http, here)).status_code == 401
    assert await is_signed_in(http, there)


async def test_of_two_who_sign_out_of_one_session_at_once_both_are_told_that_they_have(
    http: httpx.AsyncClient, service: Service
) -> None:
    tokens = await registered(http)
    answers = await asyncio.gather(*(http.post("/auth/logout", headers=bearer(tokens)) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [204, 204]
    assert len([event for event in await service.events() if isinstance(event, SessionEnded)]) == 1


async def test_signing_out_everywhere_ends_every_session(http: httpx.AsyncClient) -> None:
    everywhere = [await registered(http), await signed_in(http), await signed_in(http)]
    stranger = await registered(http, **BOB)
    assert (await http.post("/auth/logout-all", headers=bearer(everywhere[1]))).status_code == 204
    for tokens in everywhere:
        assert not await is_signed_in(http, tokens)
        assert (await refresh(http, tokens)).status_code == 401
    assert await is_signed_in(http, stranger)
    await signed_in(http)


async def test_a_session_that_ended_stays_ended_after_a_restart(tmp_path: Path, clock: StandingClock) -> None:
    async with opened(tmp_path, clock) as service, service.client() as http:
        gone, stays = await registered(http), await signed_in(http)
        await http.post("/auth/logout", headers=bearer(gone))
    clock.forward(LIFETIME_MS - 1)
    async with opened(tmp_path, clock) as service, service.client() as http:
        assert not await is_signed_in(http, gone)
        assert await is_signed_in(http, stays)


async def test_what_is_remembered_of_sessions_that_ended_is_let_go_when_no_token_can_be_left(
    http: httpx.AsyncClient, service: Service, clock: StandingClock
) -> None:
    for _ in range(3):
        tokens = await registered(http) if clock() == START else await signed_in(http)
        await http.post("/auth/logout", headers=bearer(tokens))
        clock.forward(KEEP_MS)
    assert len(service.system.revocations._ended) == 1
    assert service.system.log_db.connection.execute("SELECT count(*) FROM revoked_sessions").get == 1


async def test_a_session_is_not_revoked_before_its_end_is_durable(
    http: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await registered(http)
    session = (await service.events())[1].session
    at_commit: list[bool] = []
    commit = service.system.log_db.commits._commit

    def committing() -> None:
        at_commit.append(service.system.revocations.is_revoked(session))
        commit()

    monkeypatch.setattr(
        service.system.log_db.commits,
        "_commit",
        committing,
    )
    await http.post("/auth/logout", headers=bearer(tokens))
    assert at_commit == [False]
    assert service.system.revocations.is_revoked(session)


async def test_a_session_whose_end_did_not_reach_the_disk_goes_on(
    http: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await registered(http)
    commits = service.system.log_db.commits

    def full() -> None:
        raise apsw.FullError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(commits, "_commit", full)
        answer = await http.post("/auth/logout", headers=bearer(tokens))
        assert (answer.status_code, problem(answer)) == (503, "unavailable")
        assert answer.headers["retry-after"]
    await signed_in(http)  # another commit, that has nothing to do with it
    assert await is_signed_in(http, tokens)
    assert (await refresh(http, tokens)).status_code == 200


# Sessions


async def test_sessions_are_listed_newest_first_with_where_they_began(
    http: httpx.AsyncClient, clock: StandingClock
) -> None:
    await registered(http)
    clock.forward(1000)
    newer = await signed_in(http, **{"user-agent": "phone/2", "x-forwarded-for": "198.51.100.1"})
    answer = await http.get("/auth/sessions", headers=await fresh(http, newer))
    assert answer.status_code == 200
    phone, laptop = answer.json()["items"]
    assert (phone["user_agent"], phone["ip"], phone["current"]) == ("phone/2", "198.51.100.1", True)
    assert (laptop["user_agent"], laptop["ip"], laptop["current"]) == ("tests/1", "203.0.113.7", False)
    assert (laptop["started_at"], phone["started_at"]) == ("2025-11-13T02:13:20.000Z", "2025-11-13T02:13:21.000Z")
    assert answer.json()["next_cursor"] is None


async def test_sessions_come_in_pages(http: httpx.AsyncClient) -> None:
    await registered(http)
    for _ in range(4):
        tokens = await signed_in(http)
    headers = await fresh(http, tokens)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await http.get("/auth/sessions", params={"limit": 2, **cursor}, headers=headers)).json()
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


async def test_a_session_is_ended_from_another_one(http: httpx.AsyncClient) -> None:
    old, tokens = await registered(http), await signed_in(http)
    listed = (await http.get("/auth/sessions", headers=await fresh(http, tokens))).json()["items"]
    (other,) = [one["id"] for one in listed if not one["current"]]
    answer = await http.delete(f"/auth/sessions/{other}", headers=bearer(tokens))
    assert answer.status_code == 204
    assert not await is_signed_in(http, old)
    again = await http.delete(f"/auth/sessions/{other}", headers=bearer(tokens))
    assert (again.status_code, problem(again)) == (404, "not-found")


async def test_a_session_that_is_not_there_cannot_be_ended(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    for id_ in ("nonsense", "00000000-0000-0000-0000-000000000000", "%00"):
        answer = await http.delete(f"/auth/sessions/{id_}", headers=bearer(tokens))
        assert (answer.status_code, problem(answer)) == (404, "not-found"), id_


async def test_the_session_of_another_account_cannot_be_ended(http: httpx.AsyncClient, service: Service) -> None:
    ada = await registered(http)
    session = (await service.events())[1].session
    bob = await registered(http, **BOB)
    answer = await http.delete(f"/auth/sessions/{session}", headers=bearer(bob))
    assert (answer.status_code, problem(answer)) == (404, "not-found")
    assert await is_signed_in(http, ada)
