"""Each GET says what it reads from, since it waits for Consistency-Tokens by that and is stale by that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from people import Person
from service import Service

from query_api.serving import Port, reads_of
from rest.admission import API
from rest.openapi import routed
from rest.routing import attach
from runtime.routes import QUERY_ROUTERS
from stores.readers import Readers

ENDLESS = {"/stream"}
"""Goes on until the client leaves; its first events need nothing from the read models."""


def routes() -> Iterator[tuple[str, Any]]:
    """Path and endpoint of each GET of the API."""
    app = FastAPI()
    attach(app, QUERY_ROUTERS)
    for route in routed(app):
        if "GET" in (route.methods or ()):
            yield route.path.removeprefix(API), route.endpoint


ROUTES = dict(routes())


def test_the_ports_that_a_route_can_name_are_the_fields_of_the_readers() -> None:
    assert set(get_args(Port)) == {field.name for field in fields(Readers)} - {"snapshot"}


@pytest.mark.parametrize("path", ROUTES)
def test_every_get_says_what_it_reads_from(path: str) -> None:
    reads = reads_of(ROUTES[path])
    assert reads
    assert set(reads) <= set(get_args(Port))


class Spy:
    """Readers that note which of their ports are asked."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name != "snapshot":
            self.asked.add(name)
        return getattr(self._readers, name)


async def test_a_route_asks_nothing_that_it_does_not_say(service: Service, ada: Person, bob: Person) -> None:
    first = (await bob.post("#hello @ada, #hello world"))["id"]
    reply = (await ada.after(bob).post("hello to you", reply_to=first))["id"]
    quote = (await bob.after(ada).post("look at this", quote_of=reply))["id"]
    await ada.after(bob).do("POST", "/users/bob/follow")
    for what in ("like", "retweet", "bookmark"):
        await ada.do("POST", f"/tweets/{first}/{what}")
    await service.project()
    spy = Spy(service.system.readers)
    service.system.readers = spy  # type: ignore[assignment]  # it has every field
    queries = {
        "/search/tweets": {"q": "from:bob hello", "sort": "best"},
        "/search/users": {"q": "bo"},
        "/search/hashtags": {"q": "he"},
        "/sentiment": {"author": "bob"},
    }
    for path, endpoint in ROUTES.items():
        if path in ENDLESS:
            continue
        spy.asked.clear()
        values = {"username": "bob", "tag": "hello"}
        for one in (first, quote):
            await ada.get(path.format(id=one, **values), **queries.get(path, {}))
        assert spy.asked, path
        assert spy.asked <= set(reads_of(endpoint)), path
