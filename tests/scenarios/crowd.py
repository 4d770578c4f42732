"""Several accounts, known by their names; every read includes all earlier writes."""

from __future__ import annotations

from typing import Any

import httpx

from tests.scenarios.people import Json, Person, join
from tests.scenarios.service import MINUTE, Service, StandingClock


class Crowd:
    """Accounts that post, follow and read. A minute passes before each write."""

    def __init__(self, http: httpx.AsyncClient, service: Service, clock: StandingClock) -> None:
        self.http = http
        self.service = service
        self.clock = clock
        self.members: dict[str, Person] = {}

    async def join(self, *usernames: str) -> None:
        for username in usernames:
            self.members[username] = await join(self.http, username)

    async def do(self, by: str, method: str, path: str, json: Json | None = None) -> Json:
        self.clock.forward(MINUTE)
        answer = await self.members[by].do(method, path, json)
        return answer.json() if answer.content else {}

    async def post(self, by: str, text: str) -> str:
        return str((await self.do(by, "POST", "/tweets", {"text": text}))["id"])

    async def get(self, path: str, by: str | None = None, **parameters: Any) -> httpx.Response:
        await self.service.project()
        return await self.http.get(path, params=parameters, headers=self.members[by].bearer if by else {})

    async def all(self, path: str, by: str | None = None, **parameters: Any) -> list[Json]:
        """Return all items of a list, read page by page."""
        items: list[Json] = []
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            answer = await self.get(path, by, **parameters, **more)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    async def found(self, by: str | None = None, **parameters: Any) -> list[str]:
        return [item["id"] for item in await self.all("/search/tweets", by, **parameters)]
