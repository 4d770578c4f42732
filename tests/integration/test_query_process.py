"""`serve query` with `serve command` and `work all`: writes through one process are read from another."""

import asyncio
import copy
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from events.accounts import AccountRegistered
from infra.local.redis import Redis
from infra.local.running import Running
from stores.cassandra.address import Address
from stores.redis.connection import connect
from tests.integration.installation import READ_ONLY, SOON, Installation, Started, post, ready, register
from tests.pictures import png
from tests.stores.on_cassandra import drop

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.long]

COMMAND, QUERY, WORK = ("serve", "command"), ("serve", "query"), ("work", "all")
APART = [("work", "projectors"), ("work", "streams"), ("work", "relay")]


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str, cassandra: str, redis: str
) -> Iterator[Installation]:
    """One installation for all tests, because its tables take seconds. Each test uses other user names."""
    url = f"{cassandra.rstrip('/')}/query_{uuid.uuid4().hex[:12]}"
    directory = tmp_path_factory.mktemp("installation")
    yield Installation(directory, kafka, postgres, cassandra=url, redis=redis).set_up()
    drop(Address.parse(url))


@pytest.fixture(scope="module")
def serving(installation: Installation) -> Iterator[list[httpx.Client]]:
    """Clients of a command and a query process. Each test starts its own workers."""
    with ExitStack() as stack:
        yield [client for _, client in started(stack, installation, COMMAND, QUERY)]


def started(
    stack: ExitStack, installation: Installation, *roles: tuple[str, str]
) -> list[tuple[Started, httpx.Client]]:
    processes = [stack.enter_context(installation.process(*words)) for words in roles]
    for each in processes:
        ready(*each)
    return processes


class Reader:
    """Read with the token of the last write. Repeat while the answer is stale, as on a busy machine."""

    def __init__(self, client: httpx.Client, bearer: dict[str, str]) -> None:
        self.client = client
        self.bearer = bearer

    def get(self, path: str, token: str | None = None, **params: str) -> Any:
        headers = self.bearer | ({"consistency-token": token} if token else {})
        deadline = time.monotonic() + SOON
        while True:
            answer = self.client.get(f"/api/v1{path}", headers=headers, params=params)
            if answer.headers.get("consistency") != "stale":
                break
            assert time.monotonic() < deadline, answer.text
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()


def token_of(answer: httpx.Response) -> str:
    assert answer.is_success, answer.text
    return answer.headers["consistency-token"]


def test_writes_through_one_process_are_read_from_another(
    installation: Installation, serving: list[httpx.Client]
) -> None:
    command, query = serving
    with installation.process(*WORK) as worker:
        ready(*worker)
        ada, bob = register(command, "ada"), register(command, "bob")
        token_of(command.post("/api/v1/users/ada/follow", headers=bob))
        tweet = post(command, ada, "What a lovely day @bob #sunny")
        id_, token = tweet.json()["id"], token_of(tweet)
        reader = Reader(query, bob)
        assert [item["tweet"]["id"] for item in reader.get("/feed", token)["items"]] == [id_]
        assert reader.get(f"/tweets/{id_}", token)["text"] == "What a lovely day @bob #sunny"
        assert [item["tweet"]["id"] for item in reader.get("/users/ada/tweets", token)["items"]] == [id_]
        assert reader.get("/users/ada", token)["followers_count"] == 1
        assert [item["id"] for item in reader.get("/search/tweets", token, q="lovely #sunny")["items"]] == [id_]
        assert [item["username"] for item in reader.get("/search/users", token, q="ad")["items"]] == ["ada"]
        assert {item["kind"] for item in reader.get("/notifications", token)["items"]} == {"mention"}
        assert [item["username"] for item in reader.get("/users/ada/followers", token)["items"]] == ["bob"]
        liked = token_of(command.post(f"/api/v1/tweets/{id_}/like", headers=bob))
        assert reader.get(f"/tweets/{id_}", liked)["counts"]["likes"] == 1
        assert reader.get(f"/tweets/{id_}", liked)["viewer"]["liked"] is True
        gone = token_of(command.delete(f"/api/v1/tweets/{id_}", headers=ada))
        assert reader.get("/feed", gone)["items"] == []
        assert query.post("/api/v1/tweets", json={"text": "no"}, headers=ada).status_code in (404, 405)
        assert command.get("/api/v1/feed", headers=ada).status_code in (404, 405)


def test_processes_need_no_file_that_they_may_write_to(installation: Installation, s3: str) -> None:
    """As in the containers, with media in S3."""
    contained = copy.copy(installation)
    contained.behind = READ_ONLY
    contained.environment = {
        **installation.environment,
        "MINITWITTER_MEDIA__S3": f"{s3}media-{uuid.uuid4().hex[:12]}",
    }
    with ExitStack() as stack:
        (_, command), (_, query), *_ = started(stack, contained, COMMAND, QUERY, *APART)
        pia = register(command, "pia")
        picture = command.post("/api/v1/media", headers=pia, files={"file": ("a.png", png(), "image/png")})
        body = {"text": "look #sunny", "media_ids": [picture.json()["id"]]}
        written = command.post("/api/v1/tweets", headers=pia, json=body)
        reader = Reader(query, pia)
        [shown] = reader.get("/feed", token_of(written))["items"]
        [attached] = shown["tweet"]["media"]
        assert query.get(attached["url"], follow_redirects=True).headers["content-type"] == "image/png"
        assert len(reader.get("/search/tweets", token_of(written), q="look")["items"]) == 1


def test_a_session_that_ended_in_one_process_has_ended_in_the_other(serving: list[httpx.Client]) -> None:
    command, query = serving
    cyd = register(command, "cyd")
    assert query.get("/api/v1/feed", headers=cyd).status_code == 200
    assert command.post("/api/v1/auth/logout", headers=cyd, json={}).is_success
    until(lambda: query.get("/api/v1/feed", headers=cyd).status_code == 401)


def test_a_read_that_waits_too_long_is_marked_stale_and_answers_with_the_present_rows(
    installation: Installation, serving: list[httpx.Client]
) -> None:
    command, query = serving
    dan = register(command, "dan")
    token = token_of(post(command, dan, "nobody projects this yet"))

    def feed() -> httpx.Response:
        return query.get("/api/v1/feed", headers=dan | {"consistency-token": token})

    answer = feed()
    assert (answer.status_code, answer.headers["consistency"], answer.json()["items"]) == (200, "stale", [])
    with installation.process(*WORK) as worker:
        ready(*worker)
        until(lambda: "consistency" not in feed().headers)
        assert len(feed().json()["items"]) == 1


def test_lost_counters_are_marked_stale_until_they_are_counted_again(
    installation: Installation, serving: list[httpx.Client]
) -> None:
    command, query = serving
    eve = register(command, "eve")
    tweet = post(command, eve, "like me").json()["id"]
    token = token_of(command.post(f"/api/v1/tweets/{tweet}/like", headers=register(command, "fay")))
    reader = Reader(query, eve)
    with installation.process(*WORK) as worker:
        ready(*worker)
        assert reader.get(f"/tweets/{tweet}", token)["counts"]["likes"] == 1
    asyncio.run(wiped(installation))
    until(lambda: query.get(f"/api/v1/tweets/{tweet}", headers=eve).headers.get("consistency") == "stale")
    with installation.process(*WORK) as worker:
        ready(*worker)
        until(lambda: "consistency" not in query.get(f"/api/v1/tweets/{tweet}", headers=eve).headers)
        assert reader.get(f"/tweets/{tweet}")["counts"]["likes"] == 1


def test_while_redis_is_unavailable_tweets_are_read_without_their_counters(
    tmp_path: Path, kafka: str, postgres: str, cassandra: str, running: Running
) -> None:
    engine = Redis()
    url = f"{cassandra.rstrip('/')}/query_{uuid.uuid4().hex[:12]}"
    installation = Installation(tmp_path, kafka, postgres, cassandra=url, redis=running.up(engine).url).set_up()
    with ExitStack() as stack:
        (_, command), (_, query), _ = started(stack, installation, COMMAND, QUERY, WORK)
        ada = register(command, "ada")
        tweet = post(command, ada, "like me").json()["id"]
        token = token_of(command.post(f"/api/v1/tweets/{tweet}/like", headers=register(command, "bob")))
        assert Reader(query, ada).get(f"/tweets/{tweet}", token)["counts"]["likes"] == 1
        running.kill(engine.name)

        def read() -> tuple[int, str | None, int | None]:
            answer = query.get(f"/api/v1/tweets/{tweet}", headers=ada)
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code, answer.headers.get("consistency"), answer.json().get("counts", {}).get("likes")

        until(lambda: read() == (200, "stale", 0))
        assert query.get("/api/v1/feed", headers=ada).status_code == 200
        assert query.get("/api/v1/users/recommendations", headers=ada).status_code == 200
        running.up(engine)
        until(lambda: read() == (200, None, 1))
    drop(Address.parse(url))


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def wiped(installation: Installation) -> None:
    redis = connect(installation.environment["MINITWITTER_REDIS_URL"])
    keys = [key async for key in redis.scan_iter(match=f"*{installation.prefix}*")]
    assert keys
    await redis.delete(*keys)
    await redis.aclose()


class Stream:
    """An open stream of server-sent events, read by a thread."""

    def __init__(self, url: str, bearer: dict[str, str], last: str | None = None) -> None:
        self.events: list[dict[str, str]] = []
        self.opened = threading.Event()
        headers = bearer | ({"last-event-id": last} if last else {})
        self._thread = threading.Thread(target=self._read, args=(f"{url}/api/v1/stream", headers), daemon=True)
        self._thread.start()
        assert self.opened.wait(SOON)

    def _read(self, url: str, headers: dict[str, str]) -> None:
        with httpx.stream("GET", url, headers=headers, timeout=SOON) as answer:
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name:
                    event[name] = value
                elif event:
                    self.events.append(event)
                    event = {}
                    self.opened.set()

    def of(self, kind: str) -> list[Any]:
        return [json.loads(event["data"]) for event in list(self.events) if event.get("event") == kind]


def test_event_streams_send_writes_of_other_processes_and_resume_at_their_position(
    installation: Installation, serving: list[httpx.Client]
) -> None:
    command, query = serving
    with installation.process(*WORK) as worker:
        ready(*worker)
        gus, hal = register(command, "gus"), register(command, "hal")
        token = token_of(command.post("/api/v1/users/gus/follow", headers=hal))
        Reader(query, hal).get("/users/gus", token)
        stream = Stream(str(query.base_url), hal)
        first = post(command, gus, "hello @hal").json()
        until(lambda: stream.of("tweet") and stream.of("notification"))
        assert [item["tweet"]["id"] for item in stream.of("tweet")] == [first["id"]]
        assert [item["kind"] for item in stream.of("notification")] == ["mention"]
        last = stream.events[-1]["id"]
        second = post(command, gus, "while you were unavailable").json()
        again = Stream(str(query.base_url), hal, last)
        until(lambda: [item["tweet"]["id"] for item in again.of("tweet")] == [second["id"]])


def test_active_readers_are_reported_to_the_log(installation: Installation) -> None:
    with ExitStack() as stack:  # a query process reports it when it stops, at the latest
        (_, command), (_, query) = started(stack, installation, COMMAND, QUERY)
        ivy = register(command, "ivy")
        assert query.get("/api/v1/feed", headers=ivy).status_code == 200
    events = asyncio.run(installation.events())
    registered = [r.event for r in events if isinstance(r.event, AccountRegistered)]
    [account] = [event.account for event in registered if event.username == "ivy"]
    assert [r.type for r in events if r.topic == "usage" and r.key == account] == ["AccountActive"]
