"""The same commands through both profiles, and the same answers to the same reads.

A seeded community writes, with many a command that is refused or changes nothing, and somebody reads in rounds between.
Clock and randomness are handed in, so the ids are the same, too. Tokens and cursors are not compared, since they are
each profile's own: pages are followed to their end instead. `make campaigns` has 2,000 writes, the suite fewer.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from events.ids import Randomness
from tests.campaigns import form
from tests.distributed_profile import Ground
from tests.scenarios.profiles import DistributedService, on_engines
from tests.scenarios.service import PASSWORD, Service, StandingClock, opened

pytestmark = [pytest.mark.engines, pytest.mark.slow]

PEOPLE = 40
COMMANDS = form(800, 2_000)
ROUNDS = 5
READS = form(300, 500)
SEED = 20_261
WORDS = ["sunny", "rainy", "lovely", "awful", "coffee", "tea", "train", "late", "happy", "sad", "good", "bad", "never"]
TAGS = ["#weather", "#Coffee", "#coffee", "#rail", "#Mood", "#mood", "#weekend"]
NO_TWEET = "019a7afd-1e00-7001-8001-000000000000"
_NOT_COMPARED = {"next_cursor", "access_token", "refresh_token", "instance", "session"}


class Command(NamedTuple):
    """A write: who does what. `{tweet:N}` in a path or a body is the id of the Nth tweet that was asked for."""

    by: int
    method: str
    path: str
    body: Any
    wait_ms: int


class Read(NamedTuple):
    """A list or a thing that somebody reads; None is somebody who is not signed in."""

    by: int | None
    path: str
    params: dict[str, str]


def sentence(chance: random.Random) -> str:
    words = chance.choices(WORDS, k=chance.randint(1, 8)) + chance.sample(TAGS, k=chance.choice((0, 0, 1, 2)))
    if chance.random() < 0.2:
        words.append(f"@person{chance.randrange(PEOPLE + 2)}")
    chance.shuffle(words)
    return " ".join(words)


def commands(seed: int) -> Iterator[Command]:
    """The writes of a community; some tweets are many people's, as in life."""
    chance = random.Random(seed)
    authors: list[int] = []

    def number() -> int:
        recent = len(authors) - 1 - int(chance.expovariate(0.1))
        return max(0, recent) if chance.random() < 0.7 else chance.randrange(len(authors))

    def tweet() -> str:
        return f"{{tweet:{number()}}}"

    def mostly_theirs(by: int) -> tuple[int, str]:
        asked = number()
        return (authors[asked] if chance.random() < 0.8 else by), f"/tweets/{{tweet:{asked}}}"

    def person() -> str:
        return f"person{min(int(chance.expovariate(0.1)), PEOPLE)}"

    for _ in range(COMMANDS):
        by, wait_ms = chance.randrange(PEOPLE), chance.randint(1, 1500)
        kind = chance.random()
        if len(authors) < 5 or kind < 0.3:
            body = {"text": sentence(chance)}
            more = chance.random()
            if len(authors) >= 5 and more < 0.3:
                body["reply_to"] = tweet()
            elif len(authors) >= 5 and more < 0.4:
                body["quote_of"] = tweet()
            authors.append(by)
            yield Command(by, "POST", "/tweets", body, wait_ms)
        elif kind < 0.5:
            yield Command(by, chance.choice(("POST", "POST", "DELETE")), f"/users/{person()}/follow", None, wait_ms)
        elif kind < 0.7:
            yield Command(by, chance.choice(("POST", "POST", "DELETE")), f"/tweets/{tweet()}/like", None, wait_ms)
        elif kind < 0.8:
            yield Command(by, chance.choice(("POST", "POST", "DELETE")), f"/tweets/{tweet()}/retweet", None, wait_ms)
        elif kind < 0.85:
            yield Command(by, chance.choice(("POST", "DELETE")), f"/tweets/{tweet()}/bookmark", None, wait_ms)
        elif kind < 0.89:
            yield Command(by, chance.choice(("POST", "DELETE")), f"/users/{person()}/mute", None, wait_ms)
        elif kind < 0.92:
            yield Command(by, chance.choice(("POST", "DELETE")), f"/users/{person()}/block", None, wait_ms)
        elif kind < 0.95:
            by, path = mostly_theirs(by)
            yield Command(by, "PATCH", path, {"text": sentence(chance)}, wait_ms)
        elif kind < 0.98:
            by, path = mostly_theirs(by)
            yield Command(by, "DELETE", path, None, wait_ms)
        else:
            body = {"display_name": f"Person {by} the {chance.randrange(9)}th", "bio": sentence(chance)}
            yield Command(by, "PATCH", "/users/me", body, wait_ms)


def reads(seed: int, number: int, tweets: int) -> list[Read]:
    chance = random.Random(seed)

    def one() -> Read:
        by = chance.choice((None, *range(PEOPLE)))
        signed_in = chance.randrange(PEOPLE)
        who, tweet = f"person{chance.randrange(PEOPLE)}", f"{{tweet:{chance.randrange(tweets)}}}"
        few = {"limit": str(chance.choice((3, 7, 20)))}
        return chance.choice(
            (
                Read(signed_in, "/feed", few),
                Read(signed_in, "/feed", few),
                Read(by, "/public", {}),
                Read(by, f"/users/{who}", {}),
                Read(by, f"/users/{who}/tweets", few),
                Read(by, f"/users/{who}/likes", few),
                Read(by, f"/users/{who}/followers", few),
                Read(by, f"/users/{who}/following", few),
                Read(by, f"/tweets/{tweet}", {}),
                Read(by, f"/tweets/{tweet}/conversation", {}),
                Read(by, f"/tweets/{tweet}/likes", few),
                Read(by, f"/tweets/{tweet}/retweets", few),
                Read(by, f"/hashtags/{chance.choice(TAGS)[1:]}/tweets", few),
                Read(by, "/search/tweets", {"q": " ".join(chance.sample(WORDS, k=chance.choice((1, 2)))), **few}),
                Read(by, "/search/users", {"q": who[: chance.randint(2, 8)]}),
                Read(by, "/search/hashtags", {"q": chance.choice(TAGS)[1:3]}),
                Read(signed_in, "/notifications", few),
                Read(signed_in, "/bookmarks", few),
                Read(signed_in, "/users/recommendations", few),
                Read(by, "/trends", {"window": chance.choice(("1h", "6h", "24h"))}),
                Read(by, f"/tweets/{tweet}/history", {}),
                Read(by, f"/tweets/{tweet}/quotes", few),
                Read(signed_in, "/users/me/blocks", few),
                Read(signed_in, "/notifications/unread-count", {}),
                Read(by, "/sentiment", {"tag": chance.choice(TAGS)[1:]}),
            )
        )

    return [one() for _ in range(number)]


class Run:
    """A run of the same commands on one of the profiles."""

    def __init__(self, service: Service | DistributedService, http: httpx.AsyncClient, clock: StandingClock) -> None:
        self.service = service
        self.http = http
        self.clock = clock
        self.people: list[dict[str, str]] = []
        self.tweets: list[str] = []

    async def begin(self) -> None:
        for number in range(PEOPLE):
            self.clock.forward(1000)
            body = {"username": f"person{number}", "email": f"p{number}@example.org", "password": PASSWORD}
            answer = (await self.http.post("/auth/register", json=body)).json()
            self.people.append({"authorization": f"Bearer {answer['access_token']}"})

    async def write(self, command: Command) -> Any:
        self.clock.forward(command.wait_ms)
        body = None if command.body is None else {name: self.put(value) for name, value in command.body.items()}
        answer = await self.http.request(
            command.method, self.put(command.path), json=body, headers=self.people[command.by]
        )
        if command.path == "/tweets":
            self.tweets.append(answer.json()["id"] if answer.is_success else NO_TWEET)
        return answer.status_code, compared(answer.json() if answer.content else None)

    async def read(self, read: Read) -> Any:
        headers = {} if read.by is None else self.people[read.by]
        pages: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await self.http.get(self.put(read.path), params=read.params | cursor, headers=headers)
            found = answer.json()
            pages.append((answer.status_code, compared(found)))
            if not found.get("next_cursor"):
                return pages
            cursor = {"cursor": found["next_cursor"]}

    def put(self, text: str) -> str:
        return re.sub(r"\{tweet:(\d+)\}", lambda found: self.tweets[int(found[1])], text)


def compared(answer: Any) -> Any:
    """An answer without what is each profile's own."""
    if isinstance(answer, dict):
        return {name: compared(value) for name, value in answer.items() if name not in _NOT_COMPARED}
    if isinstance(answer, list):
        return [compared(value) for value in answer]
    return answer


Asked = Command | Read


def by_time(clock: StandingClock) -> Randomness:
    """The same bytes at the same time, however often they are asked for: ids are made of them, and break ties."""
    return lambda number: hashlib.shake_128(str(clock.now).encode()).digest(number)


async def play(service: Service | DistributedService, clock: StandingClock) -> list[tuple[Asked, Any]]:
    """Every command and read with its answer."""
    answers: list[tuple[Asked, Any]] = []
    async with service.client() as http:
        run = Run(service, http, clock)
        await run.begin()
        for number, command in enumerate(commands(SEED), 1):
            answers.append((command, await run.write(command)))
            if number % (COMMANDS // ROUNDS) == 0:
                await service.project()
                for read in reads(SEED + number, READS // ROUNDS, len(run.tweets)):
                    answers.append((read, await run.read(read)))
    return answers


async def test_both_profiles_answer_alike(ground: Ground, tmp_path: Path) -> None:
    settings = {"access_token_minutes": 60}
    clock = StandingClock()
    (tmp_path / "embedded").mkdir()
    async with opened(tmp_path / "embedded", clock, randomness=by_time(clock), **settings) as embedded:
        expected = await play(embedded, clock)
    clock = StandingClock()
    async with on_engines(
        ground, tmp_path, clock, randomness=by_time(clock), topic_partitions=4, **settings
    ) as distributed:
        found = await play(distributed, clock)
    assert len(found) == COMMANDS + READS
    differing = [(one, other) for one, other in zip(expected, found, strict=True) if one != other]
    assert not differing, (len(differing), differing[0])
    statuses = [answer[0] for asked, answer in expected if isinstance(asked, Command)]
    assert sum(200 <= status < 300 for status in statuses) > COMMANDS / 2
    assert sum(400 <= status < 500 for status in statuses) > COMMANDS / 50
