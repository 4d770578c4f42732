"""Additional facts for schemathesis: how to sign in, and values that only the server can make.

Cursors, tokens and tags are signed or counted by the server. It refuses invented ones; other tests cover that. So
invented ones are left out of requests that should succeed, or replaced by real ones.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st

URL = os.environ["TESTED"]
LOGIN = {"login": "tester", "password": "a password for tests"}
OPAQUE = {"query": ("cursor", "ticket"), "headers": ("Last-Event-ID", "If-Match", "Consistency-Token")}

session = requests.Session()
keys = (f"key {os.getpid()}-{n}" for n in itertools.count())
given: set[str] = set()
"""Cursors, tokens and tags that the server returned."""

schemathesis.openapi.format(
    "tweet-text",
    st.text(st.sampled_from("abc #@\u00e9\u6f22\U0001f600"), min_size=1, max_size=90).map(lambda text: f"x{text}"),
)


def bearer() -> str:
    answer = session.post(f"{URL}/api/v1/auth/login", json=LOGIN)
    return f"Bearer {answer.json()['access_token']}"


@schemathesis.auth()
class SignedIn:
    """Give each call that needs one a session of its own just before it, because other calls end sessions."""

    def get(self, case: Any, context: Any) -> str:
        return "Bearer of a session to come"

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = data


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Replace invented values (see the module's docstring)."""
    if (case.headers or {}).get("Authorization") == "Bearer of a session to come":
        case.headers["Authorization"] = bearer()
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for name in OPAQUE["query"]:
        if name in (case.query or {}) and case.query[name] not in given:
            del case.query[name]
    for name in OPAQUE["headers"]:
        if name in (case.headers or {}) and case.headers[name] not in given:
            del case.headers[name]
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = next(keys)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Note the values that the server returned."""
    for name in ("consistency-token", "etag"):
        given.update(response.headers.get(name, ()))
    if response.headers.get("content-type") == ["application/json"]:
        body = response.json()
        if isinstance(body, dict) and body.get("next_cursor"):
            given.add(body["next_cursor"])
