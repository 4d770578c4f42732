"""Each GET declares the read ports that it asks, since it waits for Consistency-Tokens, and is stale, as these are.

Both ways: a route asks no port that it does not declare, and declares none that no scenario makes it ask. The same
holds for the read models behind a port.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import apsw
import httpx
import pytest
from fastapi import FastAPI

from query_api.routes.media import media_files
from rest.admission import API
from rest.openapi import routed
from rest.route_problems import reads_of
from rest.routing import attach
from runtime.embedded.models import ALL_TABLES
from runtime.routes import ROUTERS
from stores.readers import READ_PORTS, Readers, models_of
from tests import pictures
from tests.scenarios.people import Json, Person, join
from tests.scenarios.service import Service
from tests.scenarios.streaming import streaming

NOBODYS = "019a7b2e-0000-7000-8000-000000000000"
MODEL_OF_TABLE = {table: tables.model for tables in ALL_TABLES for table in tables.tables}


def routes() -> dict[str, Any]:
    """The endpoint of each GET of both APIs, by its path."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    attach(app, (*ROUTERS, media_files))
    found = [route for route in routed(app) if "GET" in (route.methods or ())]
    return {route.path.removeprefix(API): route.endpoint for route in found}


ROUTES = routes()


@pytest.mark.parametrize("path", ROUTES)
def test_every_get_says_what_it_reads_from(path: str) -> None:
    assert reads_of(ROUTES[path])


class Spy:
    """Readers that note which of their ports are asked, and which tables each reads."""

    def __init__(self, readers: Readers, connection: Any) -> None:
        self._readers = readers
        self.asked: set[str] = set()
        self.tables: defaultdict[str, set[str]] = defaultdict(set)
        self.trends_lag = False
        self._asking = ""
        connection.authorizer = self._authorize

    def _authorize(self, operation: int, table: Any, column: Any, database: Any, trigger: Any) -> int:
        if operation == apsw.SQLITE_READ and self._asking and table:
            self.tables[self._asking].add(table)
        return apsw.SQLITE_OK

    def __getattr__(self, name: str) -> Any:
        port = getattr(self._readers, name)
        if name == "snapshot":
            return port
        self.asked.add(name)
        return SpiedPort(self, name, port)


class SpiedPort:
    def __init__(self, spy: Spy, name: str, port: Any) -> None:
        self._spy = spy
        self._name = name
        self._port = port

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._port, method)

        async def called(*args: Any, **kwargs: Any) -> Any:
            if self._spy.trends_lag and (self._name, method) == ("trends", "shown"):
                return {}
            self._spy._asking = self._name
            try:
                return await call(*args, **kwargs)
            finally:
                self._spy._asking = ""

        return called


async def community(service: Service, ada: Person, bob: Person, cyd: Person, http: httpx.AsyncClient) -> dict[str, str]:
    """Something for every read port to answer; ids by the names that requests have for them."""
    dan, eve = await join(http, "dan"), await join(http, "eve")
    first = (await bob.post("#hello @ada, #hello world"))["id"]
    reply = (await ada.after(bob).post("hello to you", reply_to=first))["id"]
    await bob.after(ada).post("look at this", quote_of=reply)
    deleted = (await ada.post("deleted"))["id"]
    await ada.do("DELETE", f"/tweets/{deleted}")
    await ada.after(dan, eve).follow(bob, dan)
    await ada.do("POST", "/users/eve/block")
    await ada.do("POST", "/users/eve/mute")
    await bob.follow(cyd)
    await dan.follow(cyd)
    await dan.do("POST", f"/tweets/{first}/retweet")
    for what in ("like", "retweet", "bookmark"):
        await ada.do("POST", f"/tweets/{first}/{what}")
        await bob.do("POST", f"/tweets/{reply}/{what}")
        await dan.do("POST", f"/tweets/{reply}/{what}")
    answer = await ada.request("POST", "/media", files={"file": ("x", pictures.jpeg())})
    medium = answer.json()["id"]
    showed = (await ada.after(bob, dan).post("a picture", media_ids=[medium]))["id"]
    await ada.do("DELETE", f"/tweets/{showed}")
    await service.project()
    return {"tweet": first, "quoted": reply, "deleted": deleted, "medium": medium}


async def test_a_route_asks_the_ports_that_it_declares_and_no_other(
    service: Service, ada: Person, bob: Person, cyd: Person, http: httpx.AsyncClient
) -> None:
    ids = await community(service, ada, bob, cyd, http)
    assert service.system.views is not None
    spy = Spy(service.system.readers, service.system.views.connection)
    service.system.readers = spy  # type: ignore[assignment]  # it has every field
    queries: dict[str, Json] = {
        "/search/tweets": {"q": "from:bob hello", "sort": "best"},
        "/search/users": {"q": "bo"},
        "/search/hashtags": {"q": "he"},
        "/sentiment": {"author": "bob"},
    }
    undeclared, never_asked = {}, {}
    for path, endpoint in ROUTES.items():
        spy.asked.clear()
        if path == "/stream":
            await follow_a_stream(service, ada, bob, cyd, ids["quoted"])
        else:
            values = {"username": "bob", "tag": "hello", "variant": "original"}
            given = [ids["medium"]] if "/media" in path else [ids["tweet"], ids["quoted"], ids["deleted"]]
            address = f"http://test{path}" if path.startswith("/media/{id}/") else path
            for spy.trends_lag in (False, True):
                for id_ in given:
                    await ada.get(address.format(id=id_, **values), **queries.get(path, {}))
        if more := spy.asked - set(reads_of(endpoint)):
            undeclared[path] = more
        if more := set(reads_of(endpoint)) - spy.asked:
            never_asked[path] = more
    assert not undeclared, undeclared
    assert not never_asked, never_asked
    read = {port: {model_of(table) for table in tables} - {None} for port, tables in spy.tables.items()}
    # Ids of accounts stand as numbers in tables, and `users` has the numbers: on SQLite most ports ask it.
    expected = {port: set(models_of(port)) | {"users"} for port in READ_PORTS}
    assert {port: models | {"users"} for port, models in read.items()} == expected


def model_of(table: str) -> str | None:
    """The read model of a table of views.db, whose name ends with its generation; None for what is no table there."""
    name = re.match(r"(\w+?)_1(_|$)", table)
    return None if name is None else MODEL_OF_TABLE[name[1]]


async def follow_a_stream(service: Service, ada: Person, bob: Person, cyd: Person, quoted: str) -> None:
    """Receive events of every kind that a stream looks something up for."""
    async with service.live() as url, httpx.AsyncClient(base_url=url) as live:
        follower = Person(live, ada.tokens)
        async with streaming(follower) as stream:
            posted = (await bob.post("hello again"))["id"]
            await bob.do("PATCH", f"/tweets/{posted}", {"text": "hello once more"})
            await cyd.do("POST", f"/tweets/{quoted}/like")
            kinds: set[str] = set()
            while not {"tweet", "tweet.edited", "notification", "counts"} <= kinds:
                kinds.add((await stream.next()).kind)
