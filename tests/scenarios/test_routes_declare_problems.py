"""Each route declares the problems that it answers with: all of them, and none that it cannot have.

Every mistake is tried on every route, whether or not it concerns the route. A route that answers with a problem that it
does not declare fails the test, and so does one that declares a problem and never answers with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from command_api.deciding import StillRunning
from rest.edge import Edge
from rest.exchange import Message, Receive, Scope, Send
from rest.openapi import routed
from rest.rate_limits import Bucket, LocalRateLimits, too_many
from rest.route_problems import problems_of
from stores.sink import StoreUnavailable
from tests import pictures
from tests.scenarios.people import Json, Person, join
from tests.scenarios.service import MINUTE, PASSWORD, Service, StandingClock

NOBODYS = "019a7b2e-0000-7000-8000-000000000000"
LATER = "ffffffff-ffff-7fff-8fff-ffffffffffff"
"""An id of the far future."""
KEY = "a key that another request had"
JSON = {"content-type": "application/json"}
QUERIES = {
    "GET /search/tweets": "q=hello",
    "GET /search/users": "q=ada",
    "GET /search/hashtags": "q=hello",
    "GET /sentiment": "author=nobody",
}
"""Query parameters that a route requires."""


@pytest.fixture
def settings() -> dict[str, Any]:
    limits = {"tweets_burst": 1_000_000, "failed_sign_ins_an_hour": 1_000_000, "uploads_a_day": 1_000_000}
    return {"max_body_bytes": 20_000, "media": {"max_bytes": 200_000}, "rate_limits": limits}


@dataclass(frozen=True)
class Attempt:
    """Changes to a good request. A default changes nothing."""

    values: dict[str, str] = field(default_factory=dict)
    """Parameters of the path."""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content: bytes | None = None
    signed_in: bool = True


@dataclass(frozen=True)
class Subjects:
    """The accounts that send requests, and the tweets and media that requests name."""

    ada: Person
    bob: Person
    cyd: Person
    """Blocks ada."""
    dan: Person
    eve: Person
    """The read models do not know her yet."""
    tweet: str
    of_bob: str
    deleted: str
    edited_often: str
    too_old: str
    medium: str
    unfinished: str
    uploaded: str
    broken: str
    deleted_medium: str
    of_bobs_medium: str
    shown: str
    video: str
    hidden: str

    def ids(self) -> list[str]:
        return [value for value in vars(self).values() if isinstance(value, str)] + [NOBODYS, LATER, "nonsense"]

    def bodies(self, route: str) -> list[Json]:
        """Bodies for a route, the good one first."""
        login = {"login": self.bob.name, "password": PASSWORD}
        passwords = {"current_password": PASSWORD, "new_password": PASSWORD}
        media = (self.unfinished, self.deleted_medium, self.of_bobs_medium, self.video)
        found: dict[str, list[dict[str, Any]]] = {
            "POST /auth/register": [
                {"username": "newcomer", "email": "newcomer@example.org", "password": PASSWORD},
                {"username": self.bob.name, "email": "new@example.org", "password": PASSWORD},
                {"username": "another", "email": f"{self.bob.name}@example.org", "password": PASSWORD},
            ],
            "POST /auth/login": [login, login | {"password": "wrong"}],
            "POST /auth/refresh": [{"refresh_token": self.dan.tokens["refresh_token"]}, {"refresh_token": "x"}],
            "POST /auth/password": [passwords | {"current_password": "wrong"}, passwords],
            "PATCH /users/me": [{"bio": "x"}, *({"avatar_media_id": medium} for medium in media)],
            "POST /tweets": [
                {"text": "x"},
                {"text": "x", "reply_to": NOBODYS},
                {"text": "x", "quote_of": self.deleted},
                *({"text": "x", "media_ids": [medium]} for medium in media),
            ],
            "PATCH /tweets/{id}": [{"text": "x"}],
            "POST /media/uploads": [{"content_type": "image/jpeg"}],
            "POST /notifications/read": [{"up_to": NOBODYS}, {"up_to": LATER}],
        }
        return found.get(route, [])


async def upload(http: httpx.AsyncClient, person: Person, content: bytes = b"") -> str:
    """Start an upload and leave it incomplete; upload the file only if there is content."""
    started = (await person.do("POST", "/media/uploads", {"content_type": "image/jpeg"})).json()
    if content:
        form = started["upload"]
        url = httpx.URL("http://test/").join(form["url"])
        answer = await http.post(url, data=form["fields"], files={"file": ("x", content)})
        assert answer.is_success, answer.text
    return str(started["media_id"])


async def added(person: Person, content: bytes) -> str:
    answer = await person.request("POST", "/media", files={"file": ("x", content)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def prepared(service: Service, http: httpx.AsyncClient, clock: StandingClock) -> Subjects:
    ada, bob, cyd, dan = [await join(http, name) for name in ("ada", "bob", "cyd", "dan")]
    await cyd.do("POST", "/users/ada/block")
    too_old = (await ada.post("too old to edit"))["id"]
    clock.forward(31 * MINUTE)
    for person in (ada, bob, dan):
        await person.sign_in()
    edited_often = (await ada.post("edited often"))["id"]
    for n in range(20):
        await ada.do("PATCH", f"/tweets/{edited_often}", {"text": f"edited {n}"})
    media = [await added(ada, content) for content in (*(pictures.jpeg(),) * 4, pictures.mp4())]
    medium, deleted_medium, shown, hidden, video = media
    await ada.do("DELETE", f"/media/{deleted_medium}")
    await ada.post("a picture", media_ids=[shown])
    deleted = (await ada.post("deleted", media_ids=[hidden]))["id"]
    await ada.do("DELETE", f"/tweets/{deleted}")
    tweet, of_bob = (await ada.post("#hello world"))["id"], (await bob.post("#hello ada"))["id"]
    await service.project()
    subjects = Subjects(
        ada,
        bob,
        cyd,
        dan,
        eve=await join(http, "eve"),
        tweet=tweet,
        of_bob=of_bob,
        deleted=deleted,
        edited_often=edited_often,
        too_old=too_old,
        medium=medium,
        unfinished=await upload(http, ada),
        uploaded=await upload(http, ada, pictures.jpeg()),
        broken=await upload(http, ada, b"no picture"),
        deleted_medium=deleted_medium,
        of_bobs_medium=await added(bob, pictures.jpeg()),
        shown=shown,
        video=video,
        hidden=hidden,
    )
    await ada.do("POST", f"/tweets/{subjects.of_bob}/bookmark", **{"idempotency-key": KEY})
    return subjects


def attempts(subjects: Subjects, name: str) -> Iterator[Attempt]:
    """Every mistake that a client can make, for the route with this method and path."""
    yield from (Attempt(body=body) for body in subjects.bodies(name))
    yield Attempt(signed_in=False)
    yield Attempt(headers=subjects.eve.bearer)
    yield Attempt(signed_in=False, headers={"authorization": "Bearer nonsense"})
    yield Attempt(query="nonsense=1")
    yield Attempt(query="cursor=nonsense")
    yield Attempt(headers={"consistency-token": "nonsense"})
    yield Attempt(headers={"last-event-id": "nonsense"})
    yield Attempt(headers={"if-match": '"v99-0123456789abcdef"'})
    yield Attempt(headers={"idempotency-key": KEY})
    yield Attempt(headers={"idempotency-key": "x" * 256})
    yield Attempt(content=b"{", headers=JSON)
    yield Attempt(content=b"{}", headers=JSON)
    yield Attempt(content=b"{}", headers={"content-type": "text/plain"})
    yield Attempt(content=b"{}", headers=JSON | {"content-encoding": "gzip"})
    yield Attempt(content=b"x" * 500_000, headers=JSON)
    if "{id}" in name:
        yield from (Attempt({"id": id_}) for id_ in (*subjects.ids(), "uploads"))
    if "{username}" in name:
        yield from (Attempt({"username": name}) for name in ("ada", "cyd", "nobody"))
    yield Attempt({"tag": "x" * 300, "slug": "nonsense", "topic": "nonsense", "variant": "nonsense"})
    yield Attempt(query="nonsense=1", headers={"x-forwarded-for": "127.0.0.1"})


GOOD = Attempt()


class Asking:
    """Sends requests to the routes of a service, and notes the problems that they answer with."""

    def __init__(self, service: Service, subjects: Subjects) -> None:
        self._service = service
        self._subjects = subjects
        self._cut_off = False
        self._signed_out = False
        self.answered: dict[str, set[str]] = defaultdict(set)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self._leaving),
            base_url="http://test",
            headers={"x-forwarded-for": "203.0.113.7"},
        )

    async def _leaving(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a client that disconnects once its request is sent, or before if it is cut off: every stream ends."""
        sent = self._cut_off

        async def received() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            message = await receive()
            sent = not message.get("more_body", False)
            return message

        begun = ended = False

        async def sending(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        await self._service.composition.application(scope, received, sending)
        if not begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if not ended:
            await send({"type": "http.response.body"})

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        self._cut_off = True
        yield
        self._cut_off = False

    async def send(self, route: APIRoute, method: str, attempt: Attempt = GOOD) -> None:
        name = name_of(route, method)
        subjects = self._subjects
        values = {
            "id": subjects.tweet if "/tweets" in name else subjects.uploaded,
            "username": subjects.dan.name,
            "tag": "hello",
            "slug": "not-found",
            "topic": "tweets",
            "name": "TweetPosted.v3.json",
            "variant": "original",
        }
        url = route.path.format(**values | attempt.values)
        headers = (subjects.ada.bearer if attempt.signed_in else {}) | attempt.headers
        options: dict[str, Any] = {}
        if name == "POST /media" and headers.get("content-type") != "text/plain":
            headers.pop("content-type", None)
            options["files"] = {"file": ("x", attempt.content or pictures.jpeg())}
        elif attempt.content is not None:
            options["content"] = attempt.content
        elif attempt.body is not None:
            options["json"] = attempt.body
        elif bodies := subjects.bodies(name):
            options["json"] = bodies[0]
        query = f"{QUERIES.get(name, '')}&{attempt.query}"
        answer = await self.client.request(method, f"{url}?{query}", headers=headers, **options)
        if answer.headers.get("content-type") == "application/problem+json":
            self.answered[name].add(answer.json()["type"].removeprefix("/problems/"))
        self._signed_out |= answer.is_success and "/auth/" in url

    async def sign_in(self) -> None:
        """Sign in anew after a request that may have ended the session."""
        if self._signed_out:
            await self._subjects.ada.sign_in()
            self._signed_out = False


def name_of(route: APIRoute, method: str) -> str:
    return f"{method} {route.path.removeprefix('/api/v1')}"


def unavailable(*args: Any, **kwargs: Any) -> Any:
    raise StoreUnavailable("the store does not answer")


class Unavailable:
    """Readers of unavailable stores."""

    def __getattr__(self, name: str) -> Any:
        unavailable()


async def test_every_route_answers_with_the_problems_that_it_declares_and_with_no_other(
    service: Service, http: httpx.AsyncClient, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = await prepared(service, http, clock)
    asking = Asking(service, subjects)
    app = service.composition.application
    assert isinstance(app, Edge)
    documented = app._app
    assert isinstance(documented, FastAPI)
    described = [route for route in routed(documented) if route.include_in_schema]
    routes = [(route, method) for route in described for method in route.methods or ()]
    # DELETE comes last: other routes still need the tweets and media.
    routes.sort(key=lambda each: ("GET", "PATCH", "POST", "DELETE").index(each[1]))
    keyed = Attempt(headers={"idempotency-key": "a key of its own"})
    for route, method in routes:
        await asking.sign_in()
        with monkeypatch.context() as patched:
            patched.setattr(service.system, "readers", Unavailable())
            patched.setattr(service.composition.commands.store, "execute", unavailable)
            patched.setattr(service.composition.commands.store, "ask", unavailable)
            await asking.send(route, method)
        with monkeypatch.context() as patched:
            patched.setattr(service.composition.commands.store, "execute", running(service))
            await asking.send(route, method, keyed)
        with monkeypatch.context() as patched:
            patched.setattr(LocalRateLimits, "take", refused)
            await asking.send(route, method)
        with monkeypatch.context() as patched:
            patched.setattr(app._bodies, "patience_s", -1_000_000)
            await asking.send(route, method, Attempt(content=b"{}", headers=JSON))
        with asking.cut_off():
            await asking.send(route, method, Attempt(content=b"{}", headers=JSON))
        for attempt in attempts(subjects, name_of(route, method)):
            await asking.sign_in()
            await asking.send(route, method, attempt)
    declared = {name_of(route, method): problems_of(route, method) for route, method in routes}
    undeclared = {(name, slug) for name in declared for slug in asking.answered[name] - declared[name]}
    never_answered = {(name, slug) for name in declared for slug in declared[name] - asking.answered[name]}
    assert not undeclared, undeclared
    assert not never_answered, "\n".join(map(str, sorted(never_answered)))


def running(service: Service) -> Any:
    """An `execute` of the store that finds the first request of each Idempotency-Key unanswered."""
    execute = service.composition.commands.store.execute

    async def executed(decision: Any, command: Any, context: Any, answering: Any) -> Any:
        if context.idempotency is not None:
            raise StillRunning
        return await execute(decision, command, context, answering)

    return executed


async def refused(limits: LocalRateLimits, policies: Any, key: str) -> Any:
    raise too_many(Bucket(policies[0], 0, limits._clock()))
