"""Errors: every one is a problem (RFC 9457) with an explanation, and no request of a client causes a 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rest.problems import PROBLEMS
from tests.scenarios.people import Person, join
from tests.scenarios.service import ADA, DAY, MINUTE, Service, StandingClock, problem

JSON = {"content-type": "application/json"}
NOBODYS = "019a7b27-d780-7000-8738-334455667788"


async def refused(answer: httpx.Response) -> tuple[int, str]:
    """Return status and slug of a complete problem."""
    slug, body = problem(answer), answer.json()
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "instance"}
    assert body["instance"] == answer.headers["x-request-id"]
    assert (body["title"], body["status"]) == (PROBLEMS[slug].title, PROBLEMS[slug].status)
    assert body["detail"]
    return answer.status_code, slug


async def test_every_problem_explains_itself(http: httpx.AsyncClient) -> None:
    for slug, kind in PROBLEMS.items():
        answer = await http.get(f"http://test/problems/{slug}")
        assert answer.status_code == 200
        explained = answer.json()
        assert explained["type"] == f"/problems/{slug}"
        assert (explained["status"], explained["title"]) == (kind.status, kind.title)
        assert explained["advice"]


async def test_a_problem_that_is_none_is_not_explained(http: httpx.AsyncClient) -> None:
    assert await refused(await http.get("http://test/problems/no-such")) == (404, "not-found")


NOT_JSON = [
    b"",
    b"{",
    b'{"text": "\\ud800"}',
    b"{'text': 1}",
    b'{"text": "a"',
    b"\xff\xfe",
    b'{"text": "a"} {}',
    b'{"text": NaN}',
    b"[" * 9999,
]


async def test_what_is_no_json_is_a_400(http: httpx.AsyncClient, ada: Person) -> None:
    for path in ("/tweets", "/auth/login"):
        for body in NOT_JSON:
            answer = await http.post(path, content=body, headers=ada.bearer | JSON)
            assert await refused(answer) == (400, "malformed-json"), (path, body[:20])


async def test_who_is_not_signed_in_is_told_how_to(http: httpx.AsyncClient) -> None:
    for method, path in (("GET", "/feed"), ("POST", "/tweets"), ("DELETE", "/users/ada/follow"), ("GET", "/stream")):
        answer = await http.request(method, path, json={"text": "x"} if method == "POST" else None)
        assert await refused(answer) == (401, "not-signed-in")
        assert answer.headers["www-authenticate"] == 'Bearer realm="minitwitter"'


async def test_who_is_not_signed_in_is_told_nothing_else(http: httpx.AsyncClient) -> None:
    for path in ("/tweets", "/notifications/read", "/stream/tickets", "/auth/password"):
        for answer in (
            await http.post(path, content=b"{", headers=JSON),
            await http.post(path, json={"no": 1}),
            await http.post(path, content=b"x"),
            await http.post(f"{path}?what=1", json={}),
        ):
            assert await refused(answer) == (401, "not-signed-in")


async def test_credentials_that_do_not_hold_are_refused_even_where_none_are_needed(
    http: httpx.AsyncClient, ada: Person
) -> None:
    for value in ("Bearer nonsense", "Basic YTpi", "", "Bearer", "Bearer a.b.c", "Bearer \u00e9"):
        answer = await http.get("/public", headers=[(b"authorization", value.encode("latin-1"))])
        assert await refused(answer) == (401, "not-signed-in"), value
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_what_is_not_allowed_is_a_403(ada: Person, bob: Person, clock: StandingClock) -> None:
    tweet = (await ada.post("mine"))["id"]
    assert await refused(await bob.request("DELETE", f"/tweets/{tweet}")) == (403, "not-allowed")
    edit = {"json": {"text": "yours"}}
    assert await refused(await bob.request("PATCH", f"/tweets/{tweet}", **edit)) == (403, "not-allowed")
    clock.forward(30 * MINUTE + 1)
    await ada.sign_in()
    assert await refused(await ada.request("PATCH", f"/tweets/{tweet}", **edit)) == (403, "edit-window-closed")
    await ada.do("POST", "/users/bob/block")
    assert await refused(await ada.request("POST", "/users/bob/follow")) == (403, "blocked")


UNKNOWN = [
    ("GET", "/nothing/here"),
    ("GET", f"/tweets/{NOBODYS}"),
    ("GET", f"/tweets/{NOBODYS}/conversation"),
    ("GET", f"/tweets/{NOBODYS}/likes"),
    ("GET", "/tweets/not-an-id"),
    ("GET", f"/tweets/{NOBODYS.upper()}"),
    ("GET", "/tweets/" + "x" * 36),
    ("POST", f"/tweets/{NOBODYS}/like"),
    ("DELETE", f"/tweets/{NOBODYS}/bookmark"),
    ("DELETE", f"/tweets/{NOBODYS}"),
    ("GET", "/users/nobody"),
    ("GET", "/users/nobody/followers"),
    ("GET", "/users/%C3%A9%00/tweets"),
    ("POST", "/users/nobody/follow"),
    ("DELETE", "/users/nobody/mute"),
    ("DELETE", f"/auth/sessions/{NOBODYS}"),
    ("DELETE", "/auth/sessions/none"),
    ("POST", "/notifications/none/read"),
    ("POST", "/notifications/ffffffff-ffff-7fff-8fff-ffffffffffff/read"),
    ("GET", "/sentiment?author=nobody"),
]


async def test_what_there_is_not_is_a_404(ada: Person) -> None:
    for method, path in UNKNOWN:
        assert await refused(await ada.request(method, path)) == (404, "not-found"), (method, path)


async def test_what_conflicts_with_the_state_is_a_409(http: httpx.AsyncClient, ada: Person) -> None:
    taken = await http.post("/auth/register", json=ADA | {"username": "ADA", "email": "x@example.org"})
    assert await refused(taken) == (409, "name-taken")
    taken = await http.post("/auth/register", json=ADA | {"username": "other", "email": "Ada@example.org"})
    assert await refused(taken) == (409, "email-taken")


async def test_what_was_deleted_is_a_410(ada: Person, bob: Person) -> None:
    tweet = (await ada.post("not for long"))["id"]
    await ada.do("DELETE", f"/tweets/{tweet}")
    bob.after(ada)
    for method, path in (
        ("GET", ""),
        ("GET", "/history"),
        ("GET", "/quotes"),
        ("GET", "/conversation"),
        ("POST", "/like"),
        ("POST", "/retweet"),
        ("DELETE", ""),
    ):
        answer = await (ada if method == "DELETE" else bob).request(method, f"/tweets/{tweet}{path}")
        assert await refused(answer) == (410, "gone"), (method, path)
    for field in ("reply_to", "quote_of"):
        assert await refused(await bob.request("POST", "/tweets", json={"text": "x", field: tweet})) == (410, "gone")


async def test_a_version_that_has_passed_is_a_412(ada: Person) -> None:
    tweet = (await ada.post("first"))["id"]
    seen = (await ada.get(f"/tweets/{tweet}")).headers["etag"]
    await ada.do("PATCH", f"/tweets/{tweet}", {"text": "second"}, **{"if-match": seen})
    for tag in (seen, '"v9-0123456789abcdef"', '"never"', f"W/{seen}", "nonsense", '"v' + "9" * 5000 + '-0"'):
        answer = await ada.request("PATCH", f"/tweets/{tweet}", json={"text": "third"}, headers={"if-match": tag})
        assert await refused(answer) == (412, "version-mismatch"), tag
    assert (await ada.read(f"/tweets/{tweet}"))["text"] == "second"


@pytest.mark.parametrize("settings", [{"max_body_bytes": 2048}])
@pytest.mark.parametrize("path", ["/tweets", "/auth/login"])
async def test_what_is_too_large_is_a_413_said_in_advance_or_not(
    http: httpx.AsyncClient, ada: Person, path: str
) -> None:
    body = b'{"text": "' + b"x" * 2048 + b'"}'

    async def parts() -> Any:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    assert await refused(await http.post(path, content=body, headers=ada.bearer | JSON)) == (413, "too-large")
    assert await refused(await http.post(path, content=parts(), headers=ada.bearer | JSON)) == (413, "too-large")


async def test_what_is_not_said_to_be_json_is_a_415(http: httpx.AsyncClient, ada: Person) -> None:
    for path in ("/tweets", "/auth/login", "/notifications/read"):
        for kind in ("", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
            headers = ada.bearer | ({"content-type": kind} if kind else {})
            answer = await http.post(path, content=b"{}", headers=headers)
            assert await refused(answer) == (415, "wrong-type"), (path, kind)


async def test_a_compressed_body_is_a_415_that_says_what_is_taken(http: httpx.AsyncClient, ada: Person) -> None:
    gzip = {"content-encoding": "GZIP"}
    for path in ("/tweets", "/notifications/read"):
        answer = await http.post(path, content=b'{"text": "a"}', headers=ada.bearer | JSON | gzip)
        assert await refused(answer) == (415, "wrong-type"), path
        assert answer.headers["accept-encoding"] == "identity", path
    for path in ("/media", "http://test/media-store"):
        answer = await http.post(path, files={"file": ("a.png", b"a")}, headers=ada.bearer | gzip)
        assert await refused(answer) == (415, "wrong-type"), path
        assert answer.headers["accept-encoding"] == "identity", path
    headers = ada.bearer | JSON | {"content-encoding": "identity"}
    assert (await http.post("/tweets", content=b'{"text": "a"}', headers=headers)).status_code == 201


async def test_json_is_json_with_any_parameter_in_any_case(http: httpx.AsyncClient, ada: Person) -> None:
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        answer = await http.post("/tweets", content=b'{"text": "hi"}', headers=ada.bearer | {"content-type": kind})
        assert answer.status_code == 201


INVALID: list[tuple[dict[str, Any], str, str]] = [
    ({"text": "x", "reply-to": None}, "reply-to", "extra_forbidden"),
    ({}, "text", "missing"),
    ({"text": 1}, "text", "string_type"),
    ({"text": ""}, "text", "empty"),
    ({"text": "x" * 281}, "text", "too_long"),
    ({"text": "x" * 60_000}, "text", "too_long"),
    ({"text": "a\u202eb"}, "text", "character"),
    ({"text": "x", "reply_to": "1"}, "reply_to", "not_an_id"),
    ({"text": "x", "quote_of": ""}, "quote_of", "not_an_id"),
    ({"text": "x", "sensitive": "yes"}, "sensitive", "bool_type"),
    ({"text": "x", "location": {"lat": 91, "lon": 0}}, "location.lat", "less_than_equal"),
    ({"text": "x", "location": {"lat": 1}}, "location.lon", "missing"),
    ({"text": "x", "location": {"lat": 1, "lon": 2, "alt": 3}}, "location.alt", "extra_forbidden"),
    ({"text": "x", "content_warning": ""}, "content_warning", "empty"),
]


async def test_what_is_invalid_is_a_422_that_names_the_field(ada: Person) -> None:
    for body, field, code in INVALID:
        answer = await ada.request("POST", "/tweets", json=body)
        assert await refused(answer) == (422, "invalid-value"), body
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
        assert all(error["message"] for error in answer.json()["errors"])


async def test_all_that_is_wrong_is_told_at_once(ada: Person) -> None:
    answer = await ada.request("POST", "/tweets", json={"sensitive": 3, "txt": "x"})
    assert sorted(error["field"] for error in answer.json()["errors"]) == ["sensitive", "text", "txt"]


async def test_a_parameter_that_there_is_not_is_a_422(ada: Person) -> None:
    tweet = (await ada.post("here"))["id"]
    for path, field in (
        ("/public?limt=3", "limt"),
        ("/feed?limit=3&page=2", "page"),
        (f"/tweets/{tweet}?viewer=me", "viewer"),
        ("/users/ada?expand=1", "expand"),
        ("/search/tweets?q=a&order=best", "order"),
        ("/trends?windw=1h", "windw"),
    ):
        answer = await ada.get(path)
        assert await refused(answer) == (422, "invalid-value"), path
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    write = await ada.request("POST", f"/tweets/{tweet}/like?twice=1")
    assert await refused(write) == (422, "invalid-value")
    assert await refused(await ada.request("POST", "/tweets?draft=1", json={"text": "x"})) == (422, "invalid-value")


async def test_who_does_something_to_themselves_is_told_so(ada: Person) -> None:
    for what in ("follow", "block", "mute"):
        assert await refused(await ada.request("POST", f"/users/ada/{what}")) == (422, "not-yourself")


async def test_when_the_log_is_unavailable_writes_are_503_and_reads_go_on(
    ada: Person, service: Service, http: httpx.AsyncClient
) -> None:
    tweet = await ada.post("kept")
    await ada.read(f"/tweets/{tweet['id']}")
    log = service.system.log_db.connection
    log.execute("PRAGMA query_only=1")  # SQLite refuses to write, as it does when the file is read-only
    register = {"username": "bob", "email": "bob@example.org", "password": ADA["password"]}
    for answer in (
        await ada.request("POST", "/tweets", json={"text": "lost"}),
        await ada.request("POST", "/tweets", json={"text": "lost"}, headers={"idempotency-key": "k"}),
        await ada.request("DELETE", f"/tweets/{tweet['id']}"),
        await http.post("/auth/register", json=register),
        await http.post("/auth/login", json={"login": "ada", "password": ADA["password"]}),
    ):
        assert await refused(answer) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert (await ada.read("/feed"))["items"][0]["tweet"]["id"] == tweet["id"]
    log.execute("PRAGMA query_only=0")
    again = await ada.do("POST", "/tweets", {"text": "kept too"}, **{"idempotency-key": "k"})
    assert "idempotency-replayed" not in again.headers
    assert len((await ada.read("/feed"))["items"]) == 2


@pytest.mark.parametrize("settings", [{"max_waiting_commands": 1}])
async def test_when_too_many_commands_wait_new_ones_are_503(ada: Person, service: Service) -> None:
    with service.composition.commands.in_hand:
        answer = await ada.request("POST", "/tweets", json={"text": "one too many"})
        assert await refused(answer) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
    await ada.post("now")


async def test_a_clock_far_off_is_a_503_and_reads_go_on(ada: Person, clock: StandingClock) -> None:
    tweet = await ada.post("in time")
    clock.forward(-2 * MINUTE)
    answer = await ada.request("POST", "/tweets", json={"text": "out of time"})
    assert await refused(answer) == (503, "unavailable")
    assert (await ada.read(f"/tweets/{tweet['id']}"))["text"] == "in time"


async def test_an_account_is_told_by_no_answer_whether_it_is_hidden_or_not_there(
    http: httpx.AsyncClient, ada: Person, bob: Person, clock: StandingClock
) -> None:
    tweet = (await ada.post("not for bob"))["id"]
    await ada.do("POST", "/users/bob/block")
    bob.after(ada)
    for hidden, absent in (("/users/ada", "/users/nobody"), (f"/tweets/{tweet}", f"/tweets/{NOBODYS}")):
        one, other = await bob.get(hidden), await bob.get(absent)
        assert await refused(one) == await refused(other) == (404, "not-found")
        said = one.json()["detail"].replace(hidden.split("/")[-1], absent.split("/")[-1])
        assert said == other.json()["detail"]
    clock.forward(DAY)
    assert (await http.get("/users/ada")).status_code == 200
    await join(http, "cyd")
