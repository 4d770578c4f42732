"""Accounts over HTTP: registering, signing in, passwords."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Route

from command_api.deciding import Context
from command_api.domain.claim_account import CLAIM_ACCOUNT, ClaimAccount, NotClaimable
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.names import PATH_WORDS
from command_api.routes.executing import CommandAnswers, no_content
from events.accounts import AccountRegistered, PasswordChanged
from events.ids import AccountId, account_number, id_at
from events.personal import SessionStarted
from rest.admission import API
from rest.jwks import jwks
from runtime.front_page import front_page
from runtime.operations import operations
from runtime.routes import ROUTERS
from tests.scenarios.service import (
    ADA,
    BOB,
    MINUTE,
    OTHER,
    PASSWORD,
    START,
    Service,
    StandingClock,
    bearer,
    is_signed_in,
    problem,
    refresh,
    registered,
    sign_in,
    signed_in,
)

# Registering


async def test_registering_answers_with_the_account_and_tokens(http: httpx.AsyncClient, service: Service) -> None:
    answer = await http.post("/auth/register", json=ADA)
    body = answer.json()
    assert answer.status_code == 201
    assert body["user"]["username"] == "Ada"
    assert body["user"]["display_name"] == "Ada L."
    assert body["user"]["created_at"] == "2025-11-13T02:13:20.000Z"
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == "/api/v1/users/Ada"
    assert answer.headers["consistency-token"]
    assert await is_signed_in(http, body)
    account, session = await service.events()
    assert (account.account, account.username, account.email) == (body["user"]["id"], "Ada", "ada@example.org")
    assert (session.owner, session.user_agent, session.ip) == (account.account, "tests/1", "203.0.113.7")


async def test_no_secret_is_in_the_files_of_the_service(
    http: httpx.AsyncClient, service: Service, tmp_path: Path
) -> None:
    body = await registered(http)
    raw = base64.urlsafe_b64decode(body["refresh_token"])
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"AccountRegistered" in content for content in files)
    for secret in (PASSWORD.encode(), body["refresh_token"].encode(), raw[:16], raw[16:], b"ada@example.org"):
        assert not any(secret in content for content in files)


async def test_the_display_name_is_the_user_name_where_none_is_given(http: httpx.AsyncClient) -> None:
    answer = await http.post("/auth/register", json={k: v for k, v in ADA.items() if k != "display_name"})
    assert answer.json()["user"]["display_name"] == "Ada"


async def test_a_name_is_unique_whatever_the_case(http: httpx.AsyncClient) -> None:
    await registered(http)
    answer = await http.post("/auth/register", json=ADA | {"username": "aDA", "email": "other@example.org"})
    assert (answer.status_code, problem(answer)) == (409, "name-taken")


async def test_an_address_is_unique_whatever_the_case(http: httpx.AsyncClient) -> None:
    await registered(http)
    answer = await http.post("/auth/register", json=ADA | {"username": "other", "email": "ADA@Example.ORG"})
    assert (answer.status_code, problem(answer)) == (409, "email-taken")


async def test_what_is_taken_is_told_before_a_password_is_hashed(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(http)
    hashed = []
    monkeypatch.setattr(bcrypt, "hashpw", lambda password, salt: hashed.append(salt))
    for changes in ({"email": "other@example.org"}, {"username": "other"}):
        assert (await http.post("/auth/register", json=ADA | changes)).status_code == 409
    assert hashed == []


async def test_of_many_who_register_one_name_at_once_one_gets_it(http: httpx.AsyncClient, service: Service) -> None:
    answers = await asyncio.gather(
        *(
            http.post(
                "/auth/register",
                json=ADA | {"email": f"{n}@example.org"},
                headers={"x-forwarded-for": f"198.51.100.{n}"},
            )
            for n in range(10)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert len([event for event in await service.events() if isinstance(event, AccountRegistered)]) == 1


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"username": "admin"}, "username", "reserved"),
    ({"username": "Recommendations"}, "username", "reserved"),
    ({"username": "\u0430da"}, "username", "string_pattern_mismatch"),
    ({"username": "ad"}, "username", "string_pattern_mismatch"),
    ({"username": 3}, "username", "string_type"),
    ({"email": "nobody"}, "email", "pattern"),
    ({"password": "short"}, "password", "string_too_short"),
    ({"password": "password1"}, "password", "common"),
    ({"password": "x" * 73}, "password", "string_too_long"),
    ({"password": "\u00fc" * 37}, "password", "too_long"),
    ({"password": "ada-lovelace"}, "password", "contains_username"),
    ({"display_name": "Ada\u202e"}, "display_name", "character"),
    ({"display_name": "x" * 51}, "display_name", "too_long"),
    ({"display_name": " "}, "display_name", "empty"),
    ({"is_admin": True}, "is_admin", "extra_forbidden"),
]


async def test_what_is_wrong_with_a_registration_is_named_field_by_field(http: httpx.AsyncClient) -> None:
    for changes, field, code in WRONG:
        body = json.dumps(ADA | changes)
        answer = await http.post("/auth/register", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, problem(answer)) == (422, "invalid-value"), changes
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]


async def test_an_id_whose_number_is_taken_is_replaced_by_another(
    http: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = (await registered(http))["user"]["id"]
    issue = service.system.ids.issue
    issued: list[str] = []

    def issuing() -> str:
        id_ = issue()
        # The session's id is issued first, then the account's, which gets the number of the existing account.
        issued.append(id_[:19] + taken[19:] if len(issued) == 1 else id_)
        return issued[-1]

    monkeypatch.setattr(service.system.ids, "issue", issuing)
    answer = await http.post("/auth/register", json=ADA | BOB)
    assert answer.status_code == 201
    assert account_number(issued[1]) == account_number(taken)
    assert answer.json()["user"]["id"] == issued[2]


def paths_of_the_api() -> Iterator[str]:
    for router in (*ROUTERS, front_page("0"), operations(list, CollectorRegistry()), jwks(dict)):
        yield from (route.path.removeprefix(API) for route in router.routes if isinstance(route, Route))


def test_every_path_of_the_api_that_could_be_a_name_is_reserved() -> None:
    parts = [path.split("/")[1:] for path in paths_of_the_api()]
    words = {part[0] for part in parts} | {part[1] for part in parts if part[0] == "users"}
    like_names = {word for word in words if re.fullmatch("[a-z0-9_]{2,30}", word)}
    assert {"auth", "tweets", "me", "healthz"} <= like_names
    assert like_names - PATH_WORDS == set()


# Signing in


async def test_a_name_or_an_address_signs_in_whatever_the_case(http: httpx.AsyncClient) -> None:
    body = await registered(http)
    for login in ("Ada", "ada", "ADA", "ada@example.org", "Ada@Example.org"):
        tokens = await signed_in(http, login)
        assert await is_signed_in(http, tokens)
        assert tokens["refresh_token"] != body["refresh_token"]


async def test_an_unknown_login_is_answered_like_a_wrong_password(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(http)
    verified: list[bytes] = []
    check = bcrypt.checkpw

    def checking(password: bytes, hashed: bytes) -> bool:
        verified.append(hashed[:7])
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checking)
    wrong = await sign_in(http, password=OTHER)
    for login in ("nobody", "nobody@example.org", "", "\u212ada", "\u0000", "a" * 254):
        unknown = await sign_in(http, login)
        assert (unknown.status_code, problem(unknown)) == (401, "wrong-credentials"), login
        assert unknown.json() | {"instance": ""} == wrong.json() | {"instance": ""}
        assert unknown.headers["www-authenticate"] == wrong.headers["www-authenticate"]
        assert set(unknown.headers) == set(wrong.headers)
    assert verified == [b"$2b$04$"] * 7  # one verification of the same cost each


async def test_failed_sign_ins_are_limited_for_a_login(http: httpx.AsyncClient) -> None:
    await registered(http)
    for n in range(10):
        answer = await http.post(
            "/auth/login", json={"login": "ADA", "password": OTHER}, headers={"x-forwarded-for": f"198.51.100.{n}"}
        )
        assert answer.status_code == 401
    limited = await sign_in(http)
    assert (limited.status_code, problem(limited)) == (429, "too-many")
    assert int(limited.headers["retry-after"]) == 360
    await signed_in(http, "ada@example.org")  # from where the attempts did not come


async def test_failed_sign_ins_are_limited_for_an_address(http: httpx.AsyncClient, clock: StandingClock) -> None:
    await registered(http)
    for n in range(10):
        await http.post("/auth/login", json={"login": f"nobody{n}", "password": OTHER})
    limited = await sign_in(http)
    assert limited.status_code == 429
    await signed_in(http, **{"x-forwarded-for": "198.51.100.1"})
    clock.forward(6 * MINUTE)
    await signed_in(http)


async def test_attempts_made_at_once_do_not_slip_past_the_limit(http: httpx.AsyncClient) -> None:
    await registered(http)
    answers = await asyncio.gather(*(sign_in(http, password=OTHER) for _ in range(40)))
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 30
    assert (await sign_in(http, password=OTHER)).status_code == 429


async def test_sign_ins_that_succeed_are_not_limited(http: httpx.AsyncClient) -> None:
    await registered(http)
    for _ in range(3):
        answers = await asyncio.gather(*(sign_in(http) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {200}


async def test_many_sign_ins_at_once_keep_nobody_else_from_signing_in(http: httpx.AsyncClient) -> None:
    """Ten sign-ins of one name wait, and twenty of one address; others must retry, so other clients get a turn."""
    await registered(http)
    await registered(http, **BOB)
    mine = [asyncio.ensure_future(sign_in(http)) for _ in range(115)]
    theirs = [
        asyncio.ensure_future(sign_in(http, f"nobody{n}", **{"x-forwarded-for": "198.51.100.7"})) for n in range(115)
    ]
    await asyncio.sleep(0)
    await signed_in(http, "bob", **{"x-forwarded-for": "198.51.100.8"})
    for answers, most in ((await asyncio.gather(*mine), 200), (await asyncio.gather(*theirs), 401)):
        refused = [answer for answer in answers if answer.status_code != most]
        assert len(refused) > 50
        assert {(answer.status_code, problem(answer)) for answer in refused} == {(429, "too-many")}
        assert all(answer.headers["retry-after"] for answer in refused)
    await signed_in(http)


@pytest.mark.parametrize("settings", [{"rate_limits": {"registrations_an_hour": 3}}])
async def test_registrations_are_limited_by_address_whether_or_not_what_they_ask_for_is_taken(
    http: httpx.AsyncClient, clock: StandingClock
) -> None:
    await registered(http)
    for _ in range(2):
        taken = await http.post("/auth/register", json=ADA | {"username": "other"})
        assert (taken.status_code, problem(taken)) == (409, "email-taken")
    for changes in ({"username": "other"}, {"username": "third", "email": "third@example.org"}):
        limited = await http.post("/auth/register", json=ADA | changes)
        assert (limited.status_code, problem(limited)) == (429, "too-many")
    elsewhere = await http.post("/auth/register", json=ADA | BOB, headers={"x-forwarded-for": "198.51.100.1"})
    assert elsewhere.status_code == 201
    clock.forward(20 * MINUTE)
    await registered(http, username="third", email="third@example.org")


async def test_many_registrations_at_once_keep_nobody_from_signing_in(http: httpx.AsyncClient) -> None:
    await registered(http)
    many = [
        asyncio.ensure_future(
            http.post("/auth/register", json=ADA | {"username": f"new{n}", "email": f"new{n}@example.org"})
        )
        for n in range(60)
    ]
    await asyncio.sleep(0)
    await signed_in(http, **{"x-forwarded-for": "198.51.100.8"})
    answers = await asyncio.gather(*many)
    assert {answer.status_code for answer in answers} == {201, 429}


async def test_the_user_agent_is_kept_short_and_printable(http: httpx.AsyncClient, service: Service) -> None:
    await registered(http)
    headers = {b"user-agent": b"x\xe9\t" * 300}
    answer = await http.post("/auth/login", json={"login": "ada", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 200, answer.text
    started = [event for event in await service.events() if isinstance(event, SessionStarted)][-1]
    assert started.user_agent == "x" * 200


# Imported accounts


async def imported(service: Service, name: str = "oldtimer") -> str:
    account = AccountId(id_at(START, "account", name))
    answering = CommandAnswers(no_content, "")
    await service.system.commands.execute(IMPORT_ACCOUNT, ImportAccount(account, name, name), Context(), answering)
    return account


async def test_an_imported_account_is_signed_in_to_once_it_is_claimed(
    http: httpx.AsyncClient, service: Service
) -> None:
    account = await imported(service)
    refused = await http.post("/auth/login", json={"login": "oldtimer", "password": PASSWORD})
    assert (refused.status_code, problem(refused)) == (401, "wrong-credentials")
    claim = ClaimAccount(AccountId(account), await service.system.passwords.hash(PASSWORD))
    await service.system.commands.execute(CLAIM_ACCOUNT, claim, Context(), CommandAnswers(no_content, ""))
    assert await is_signed_in(http, await signed_in(http, "oldtimer"))
    with pytest.raises(NotClaimable):
        await service.system.commands.execute(CLAIM_ACCOUNT, claim, Context(), CommandAnswers(no_content, ""))


# Passwords


async def change(http: httpx.AsyncClient, tokens: dict[str, Any], current: str, new: str) -> httpx.Response:
    return await http.post(
        "/auth/password", json={"current_password": current, "new_password": new}, headers=bearer(tokens)
    )


async def test_a_new_password_replaces_the_old_one_and_ends_every_other_session(
    http: httpx.AsyncClient, service: Service
) -> None:
    here, there = await registered(http), await signed_in(http)
    answer = await change(http, here, PASSWORD, OTHER)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await is_signed_in(http, here)
    assert (await refresh(http, here)).status_code == 200
    assert not await is_signed_in(http, there)
    assert (await refresh(http, there)).status_code == 401
    wrong = await sign_in(http)
    assert wrong.status_code == 401
    await signed_in(http, password=OTHER)
    assert len([event for event in await service.events() if isinstance(event, PasswordChanged)]) == 1


async def test_without_the_password_of_now_there_is_no_new_one(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    answer = await change(http, tokens, OTHER, "quite another phrase")
    assert (answer.status_code, problem(answer)) == (403, "wrong-password")
    await signed_in(http)


async def test_a_new_password_has_to_be_good_enough(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    for new, code in (("password1", "common"), ("my-name-is-ada", "contains_username")):
        answer = await change(http, tokens, PASSWORD, new)
        assert (answer.status_code, problem(answer)) == (422, "invalid-value")
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("new_password", code)]


async def test_guessing_the_password_of_now_is_limited(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    statuses = [(await change(http, tokens, f"{OTHER} {n}", OTHER)).status_code for n in range(11)]
    assert statuses == [403] * 10 + [429]


async def test_of_two_password_changes_at_once_one_is_refused(http: httpx.AsyncClient, service: Service) -> None:
    tokens = await registered(http)
    answers = await asyncio.gather(*(change(http, tokens, PASSWORD, f"{OTHER} {n}") for n in range(2)))
    assert sorted(answer.status_code for answer in answers) == [204, 403]
    assert len([event for event in await service.events() if isinstance(event, PasswordChanged)]) == 1
