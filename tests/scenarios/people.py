"""Clients that use the service over HTTP. This code does not depend on the profile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from tests.scenarios.service import PASSWORD

Json = dict[str, Any]


class Person:
    """A signed-in client. Its reads wait for its own writes, and for those of the clients that it comes `after`."""

    def __init__(self, http: httpx.AsyncClient, registered: Json) -> None:
        self.http = http
        self.id: str = registered["user"]["id"]
        self.name: str = registered["user"]["username"]
        self.tokens = registered
        self.written: list[str] = []

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def token(self) -> str:
        """A Consistency-Token for all of the client's writes."""
        return ",".join(self.written)

    async def sign_in(self) -> None:
        """Sign in again, after the access token has expired or the session has ended."""
        answer = await self.http.post("/auth/login", json={"login": self.name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()

    def after(self, *others: Person) -> Person:
        for other in others:
            self.written += other.written
        return self

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = self.bearer | options.pop("headers", {})
        if method in ("GET", "HEAD") and self.written:
            headers.setdefault("consistency-token", self.token)
        answer = await self.http.request(method, path, headers=headers, **options)
        if method not in ("GET", "HEAD") and answer.is_success:
            self.written = [*self.written[-9:], answer.headers["consistency-token"]]
        return answer

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.request("GET", path, **({"params": params} if params else {}))

    async def read(self, path: str, **params: Any) -> Json:
        """Return the body of a GET that must succeed."""
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def items(self, path: str, **params: Any) -> list[Json]:
        """Return all items of a list, read page by page."""
        items: list[Json] = []
        page = await self.read(path, **params)
        while True:
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            page = await self.read(path, cursor=page["next_cursor"], **params)

    async def do(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        """Send a write that must succeed."""
        answer = await self.request(method, path, json=json, headers=headers)
        assert answer.is_success, answer.text
        return answer

    async def post(self, text: str, **more: Any) -> Json:
        """Post a tweet and return the response."""
        found: dict[str, Any] = (await self.do("POST", "/tweets", {"text": text, **more})).json()
        return found

    async def follow(self, *others: Person) -> None:
        for other in others:
            await self.do("POST", f"/users/{other.name}/follow")


async def join(http: httpx.AsyncClient, name: str, email: str | None = None) -> Person:
    """Register an account."""
    body = {"username": name, "email": email or f"{name}@example.org", "password": PASSWORD}
    answer = await http.post("/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    person = Person(http, answer.json())
    person.written.append(answer.headers["consistency-token"])
    return person


async def until(holds: Callable[[], object]) -> None:
    """Let other tasks run until a condition holds."""
    for _ in range(100_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not come to hold")


def texts(items: list[Json]) -> list[str]:
    """Return the texts of tweets, or of the tweets in items of a feed."""
    return [item.get("tweet", item)["text"] for item in items]
