"""Every text that a client sends is held to one list of what text may hold, in the fields that are and will be."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from command_api.routes.free_text import FreeText, Website
from command_api.routes.tweets import TweetBody
from runtime.routes import ROUTERS
from tests import pictures
from tests.scenarios.people import Person, join
from tests.scenarios.profiles import both_profiles
from tests.scenarios.service import PASSWORD, problem

pytestmark = both_profiles

HOSTILE = ["\x00", "\x1b", "\x7f", "\u202e", "\u2066", "\ufeff", "\U0010ffff", "e" + "\u0301" * 60]
CLOSED = {"uuid", "email", "password", "tweet-text"}
"""Formats of strings that are checked as a whole where they are read."""
SECRETS_AND_NAMES = {"login", "refresh_token"}
"""Fields that are looked up and never kept."""


def strings(kind: Any, found: list[Any]) -> Iterator[list[Any]]:
    """The annotations around each `str` in a field's type."""
    if isinstance(kind, FieldInfo):
        yield from strings(kind.annotation, [*found, *kind.metadata, kind])
    elif hasattr(kind, "__metadata__"):
        yield from strings(kind.__origin__, [*found, *kind.__metadata__])
    elif kind is str:
        yield found
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            for around in strings(field, []):
                inner = around and isinstance(around[0], str)
                yield around if inner else [f"{kind.__name__}.{name}", *around]
    elif isinstance(kind, types.UnionType) or typing.get_origin(kind) in (typing.Union, list, dict, tuple):
        for inner in typing.get_args(kind):
            yield from strings(inner, found)


def is_closed(around: list[Any]) -> bool:
    for note in around:
        extra = getattr(note, "json_schema_extra", None) or {}
        metadata = [note, *getattr(note, "metadata", ())]
        if extra.get("format") in CLOSED or any(getattr(one, "pattern", None) is not None for one in metadata):
            return True
    return False


def test_every_text_field_of_every_body_is_free_text_or_of_a_closed_shape(profile: str) -> None:
    seen = []
    for route in (route for router in ROUTERS for route in router.routes):
        if not isinstance(route, APIRoute) or route.body_field is None:
            continue
        for field, *around in strings(route.body_field.field_info.annotation, []):
            seen.append(field)
            free = any(isinstance(note, FreeText) for note in around)
            assert free or is_closed(around) or field.partition(".")[2] in SECRETS_AND_NAMES, field
    assert {"TweetBody.content_warning", "LocationBody.name", "ProfileBody.website", "UploadBody.alt"} <= {*seen}
    assert len(list(strings(TweetBody, []))) == 6, "every field is found"


def test_text_of_which_nothing_can_be_seen_is_refused(profile: str) -> None:
    assert FreeText(9).checked("") == ""
    for text in ("\u200b", "\u2060 \u00ad", "\u3164", "\u2800"):
        for field in (FreeText(9), FreeText(9, least=1), FreeText(9, lines=False), Website(9)):
            with pytest.raises(PydanticCustomError) as refused:
                field.checked(text)
            assert refused.value.type == "empty"


def test_what_the_document_says_of_free_text_is_what_is_held(profile: str) -> None:
    def held(field: FreeText, text: str) -> bool:
        try:
            field.checked(text)
        except PydanticCustomError:
            return False
        return True

    for field in (FreeText(9), FreeText(9, least=1), FreeText(9, lines=False)):
        pattern = re.compile(field.shape()["pattern"])
        for point in (*range(0xD800), *range(0xE000, 0x10000)):
            if chr(point).isspace() and not field.lines:  # around a text, it is taken away before
                continue
            for text in (f"a{chr(point)}b", chr(point)):
                assert (pattern.fullmatch(text) is not None) == held(field, text), hex(point)


def place(name: str) -> dict[str, Any]:
    return {"lat": 59, "lon": 18.5, "name": name}


async def test_what_no_text_may_hold_is_refused_in_every_field(ada: Person) -> None:
    for character in HOSTILE:
        for body, field in (
            ({"text": f"a{character}"}, "text"),
            ({"text": "a", "content_warning": f"a{character}b"}, "content_warning"),
            ({"text": "a", "location": place(f"a{character}b")}, "location.name"),
        ):
            answer = await ada.request("POST", "/tweets", json=body)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), body
            assert answer.json()["errors"][0]["code"] == "character"
        for name in ("display_name", "bio", "location", "website"):
            answer = await ada.request("PATCH", "/users/me", json={name: f"https://a{character}b"})
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "character"), name
        upload = await ada.request("POST", "/media/uploads", json={"content_type": "image/png", "alt": character})
        assert (upload.status_code, upload.json()["errors"][0]["code"]) == (422, "character")


async def test_line_breaks_of_every_kind_are_kept_as_line_feeds(ada: Person) -> None:
    body = {"text": "a\r\nb\rc", "content_warning": "one\r\ntwo", "location": place("here\r\nthere")}
    tweet = (await ada.request("POST", "/tweets", json=body)).json()
    assert (tweet["text"], tweet["content_warning"]) == ("a\nb\nc", "one\ntwo")
    assert tweet["location"]["name"] == "here\nthere"
    edited = await ada.request("PATCH", f"/tweets/{tweet['id']}", json={"text": "d\r\ne"})
    assert edited.status_code == 204
    assert (await ada.read(f"/tweets/{tweet['id']}"))["text"] == "d\ne"
    await ada.request("PATCH", "/users/me", json={"bio": "\r\nx\r\ny\r\n", "location": "p\rq"})
    me = await ada.read("/users/me")
    assert (me["bio"], me["location"]) == ("x\ny", "p\nq")


async def test_a_form_sends_its_line_breaks_as_browsers_do(ada: Person, profile: str) -> None:
    if profile != "embedded":
        pytest.skip("media need a store of their own there")
    answer = await ada.request(
        "POST", "/media", files={"file": ("a.png", pictures.png(), "image/png")}, data={"alt": "two\r\nlines"}
    )
    assert (answer.status_code, answer.json()["alt"]) == (201, "two\nlines")


async def test_a_name_and_a_website_stand_in_one_line(ada: Person) -> None:
    for body in ({"display_name": "Ada\r\nL."}, {"website": "https://a.example\r\n/b"}, {"website": "https://a.b/\tc"}):
        answer = await ada.request("PATCH", "/users/me", json=body)
        assert (answer.status_code, problem(answer)) == (422, "invalid-value"), body


async def test_text_is_composed_before_its_length_is_taken(ada: Person, http: httpx.AsyncClient) -> None:
    decomposed = "e\u0301" * 30
    assert (await ada.request("PATCH", "/users/me", json={"display_name": decomposed})).status_code == 204
    assert (await ada.read("/users/me"))["display_name"] == "\u00e9" * 30
    bio = "a\u0308" * 300
    assert (await ada.request("PATCH", "/users/me", json={"bio": bio})).status_code == 204
    assert (await ada.request("PATCH", "/users/me", json={"bio": bio + "x"})).status_code == 422
    new = {"username": "eve", "email": "eve@example.org", "password": PASSWORD, "display_name": decomposed}
    answer = await http.post("/auth/register", json=new)
    assert (answer.status_code, answer.json()["user"]["display_name"]) == (201, "\u00e9" * 30)


async def test_numbers_are_numbers_and_null_is_nothing(ada: Person) -> None:
    for lat in ("1", True, [1], {"a": 1}, "NaN"):
        answer = await ada.request("POST", "/tweets", json={"text": "x", "location": {"lat": lat, "lon": 2}})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "location.lat"), lat
    nothing = dict.fromkeys(("media_ids", "sensitive", "content_warning", "location", "reply_to", "quote_of"))
    answer = await ada.request("POST", "/tweets", json={"text": "x", **nothing})
    assert (answer.status_code, answer.json()["sensitive"], answer.json()["media"]) == (201, False, [])
    upload = await ada.request("POST", "/media/uploads", json={"content_type": "image/png", "alt": None})
    assert upload.status_code == 201


async def test_whole_numbers_truths_and_times_in_queries_have_one_spelling(ada: Person) -> None:
    for limit in ("\uff15", "\u0665", "+5", " 5", "5.0", "5_0", "1e1", "0x5", "", "5 "):
        answer = await ada.get("/public", limit=limit)
        assert (answer.status_code, problem(answer)) == (422, "invalid-value"), limit
    for truth in ("1", "yes", "on", "t", "True", "TRUE", ""):
        answer = await ada.get("/users/ada/tweets", replies=truth)
        assert (answer.status_code, problem(answer)) == (422, "invalid-value"), truth
    answer = await ada.get("/search/tweets", q="x", since="\uff12026-01-01T00:00:00Z")
    assert (answer.status_code, problem(answer)) == (422, "invalid-value")
    assert (await ada.get("/public", limit="5")).status_code == 200
    assert (await ada.get("/users/ada/tweets", replies="true")).status_code == 200


async def test_two_spellings_of_a_mailbox_are_one_account(http: httpx.AsyncClient) -> None:
    await join(http, "eve", email="x@m\u00fcnchen.example")
    new = {"username": "eva", "email": "X@xn--mnchen-3ya.example", "password": PASSWORD}
    answer = await http.post("/auth/register", json=new)
    assert (answer.status_code, problem(answer)) == (409, "email-taken")
    for login in ("x@m\u00fcnchen.example", "x@xn--mnchen-3ya.example", "X@M\u00dcNCHEN.example"):
        answer = await http.post("/auth/login", json={"login": login, "password": PASSWORD})
        assert answer.status_code == 200, login


async def test_an_account_of_the_encoded_spelling_is_found_by_both(http: httpx.AsyncClient, monkeypatch: Any) -> None:
    """Older accounts hold an address as it was typed."""
    with monkeypatch.context() as patch:
        patch.setattr("command_api.routes.auth.check_email", lambda address: address)
        patch.setattr("command_api.routes.auth.spellings_of_email", lambda address: (address,))
        await join(http, "eve", email="x@xn--mnchen-3ya.example")
    answer = await http.post(
        "/auth/register", json={"username": "eva", "email": "x@m\u00fcnchen.example", "password": PASSWORD}
    )
    assert (answer.status_code, problem(answer)) == (409, "email-taken")
    for login in ("x@m\u00fcnchen.example", "x@xn--mnchen-3ya.example"):
        answer = await http.post("/auth/login", json={"login": login, "password": PASSWORD})
        assert answer.status_code == 200, login


async def test_an_order_of_the_feed_that_there_is_not_is_refused(ada: Person) -> None:
    answer = await ada.request("PATCH", "/users/me", json={"feed": "top"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "feed")
    assert (await ada.request("PATCH", "/users/me", json={"feed": "latest"})).status_code == 204
