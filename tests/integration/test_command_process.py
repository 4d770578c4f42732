"""`minitwitter serve command` and `work relay` as processes, on the real PostgreSQL and Kafka."""

import asyncio
import time
from pathlib import Path

import httpx
import psycopg
import pytest
from confluent_kafka import Producer
from psycopg.conninfo import conninfo_to_dict

from bench.served import free_port
from command_api.postgres.rebuild import SOURCES
from events.accounts import AccountRegistered
from events.ids import Millis, first_id_at
from events.topics import ON_KAFKA
from events.tweets import TweetPosted
from tests.integration.installation import PARTITIONS, SOON, Installation, post, ready, register, until_noted
from tests.on_kafka import delete_topics

pytestmark = [pytest.mark.engines, pytest.mark.slow]

OTHER = first_id_at(Millis(7))


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str, redis: str) -> Installation:
    return Installation(tmp_path, kafka, postgres, redis=redis).set_up()


def test_writes_through_two_processes_are_in_kafka_once(installation: Installation) -> None:
    with (
        installation.process("serve", "command") as (one, client),
        installation.process("serve", "command") as (two, other),
    ):
        ready(one, client)
        ready(two, other)
        ada = register(client, "ada")
        # A session that one process began is good at the other, and so is what it wrote.
        first = post(other, ada, "from the other", "key-1")
        again = post(client, ada, "from the other", "key-1")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        assert first.headers["consistency-token"]
        assert (
            client.post(
                "/api/v1/auth/register",
                json={"username": "ADA", "email": "b@example.org", "password": "correct horse battery"},
            ).status_code
            == 409
        )
        assert other.get("/.well-known/jwks.json").json() == client.get("/.well-known/jwks.json").json()
    events = [record.event for record in asyncio.run(installation.events())]
    assert [event.username for event in events if isinstance(event, AccountRegistered)] == ["ada"]
    assert [event.text for event in events if isinstance(event, TweetPosted)] == ["from the other"]


def test_rate_limits_hold_over_all_processes(installation: Installation) -> None:
    limited = {"MINITWITTER_RATE_LIMITS__TWEETS_BURST": "3", "MINITWITTER_RATE_LIMITS__TWEETS_A_SECOND": "0.01"}
    with (
        installation.process("serve", "command", **limited) as (one, client),
        installation.process("serve", "command", **limited) as (two, other),
    ):
        ready(one, client)
        ready(two, other)
        ada = register(client, "ada")
        told = [post((client, other)[n % 2], ada, f"tweet {n}").status_code for n in range(4)]
        assert told == [201, 201, 201, 429]


def test_a_session_that_ended_at_one_process_is_refused_by_the_other(installation: Installation) -> None:
    with (
        installation.process("serve", "command") as (one, client),
        installation.process("serve", "command") as (two, other),
    ):
        ready(one, client)
        ready(two, other)
        ada = register(client, "ada")
        assert post(other, ada, "still here").status_code == 201
        assert client.post("/api/v1/auth/logout-all", headers=ada).status_code == 204
        deadline = time.monotonic() + SOON
        while post(other, ada, "gone?").status_code != 401:
            assert time.monotonic() < deadline


def test_a_process_that_is_killed_loses_nothing_that_it_acknowledged(installation: Installation) -> None:
    accepted = []
    with installation.process("work", "relay") as (relay, relaying):
        ready(relay, relaying)
        for round_ in range(3):
            with installation.process("serve", "command") as (process, client):
                ready(process, client)
                token = register(client, f"writer{round_}")
                for n in range(5):
                    answer = post(client, token, f"{round_} {n}")
                    assert answer.status_code == 201, answer.text
                    accepted.append(f"{round_} {n}")
                process.kill()
                process.wait()

        def texts() -> list[str]:
            return [r.event.text for r in asyncio.run(installation.events()) if isinstance(r.event, TweetPosted)]

        deadline = time.monotonic() + SOON
        while not set(accepted) <= set(texts()):
            assert time.monotonic() < deadline
    assert sorted(set(texts())) == sorted(accepted)


def test_a_process_waits_for_its_engines_and_names_them(installation: Installation) -> None:
    nobody = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    with installation.process("serve", "command", MINITWITTER_POSTGRES_URL=nobody) as (process, client):
        deadline = time.monotonic() + SOON
        while True:
            assert time.monotonic() < deadline
            try:
                answer = client.get("/readyz")
            except httpx.TransportError:
                continue
            if "PostgreSQL" in answer.text:
                break
        assert answer.status_code == 503
        assert client.get("/healthz").status_code == 200
        assert process.poll() is None


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MINITWITTER_TOPIC_PREFIX": "another-"}, "another-accounts"),
        ({"MINITWITTER_TOPIC_PARTITIONS": "5"}, "has 4 partitions, and it must have 5"),
        ({"MINITWITTER_MASTER_KEY_FILE": "nowhere.key"}, "nowhere.key is missing"),
    ],
    ids=["topics that are missing", "another number of partitions", "no master key"],
)
def test_errors_that_waiting_cannot_fix_end_the_process_with_the_reason(
    installation: Installation, environment: dict[str, str], said: str
) -> None:
    done = installation.command("serve", "command", "--port", str(free_port()), **environment)
    assert done.returncode == 4, done.stderr
    assert said in done.stderr


def test_a_database_without_this_software_s_tables_is_refused(
    tmp_path: Path, kafka: str, postgres: str, redis: str
) -> None:
    installation = Installation(tmp_path, kafka, postgres, redis=redis)
    assert installation.command("keys", "make-master", "master.key").returncode == 0
    for words in (("serve", "command"), ("work", "relay")):
        done = installation.command(*words, "--port", str(free_port()))
        assert done.returncode == 4
        assert "run `minitwitter migrate`" in done.stderr


def test_settings_that_are_missing_are_named(tmp_path: Path, kafka: str, postgres: str, redis: str) -> None:
    installation = Installation(tmp_path, kafka, postgres, redis=redis)
    del installation.environment["MINITWITTER_KAFKA_URL"], installation.environment["MINITWITTER_POSTGRES_URL"]
    for words in (("serve", "command"), ("work", "relay")):
        done = installation.command(*words)
        assert done.returncode == 2
        assert "MINITWITTER_KAFKA_URL, MINITWITTER_POSTGRES_URL" in done.stderr


def test_a_database_from_the_past_is_brought_up_to_the_log_before_anything_is_decided(
    installation: Installation, postgres: str
) -> None:
    """The database is restored under a running process, which then ends with an error. Restarted, it folds the log."""
    name = conninfo_to_dict(installation.url)["dbname"]
    with installation.process("serve", "command") as (process, client):
        ready(process, client)
        ada = register(client, "ada")
        assert post(client, ada, "before").status_code == 201
        until_noted(installation)
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            connection.execute(f"CREATE DATABASE {name}_backup TEMPLATE {name}")
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        tweet = posted(client, ada, "after")
        assert client.post(f"/api/v1/tweets/{tweet}/like", headers=ada).status_code == 204
        until_noted(installation)
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            connection.execute(f"ALTER DATABASE {name} RENAME TO {name}_lost")
            connection.execute(f"ALTER DATABASE {name}_backup RENAME TO {name}")
        assert process.wait(SOON) != 0
        assert "is from the past" in process.told()
    with installation.process("serve", "command") as (process, client):
        ready(process, client)
        likes = client.post(f"/api/v1/tweets/{tweet}/like", headers=ada)
        assert likes.status_code == 204, likes.text
        assert client.delete(f"/api/v1/tweets/{tweet}", headers=ada).status_code == 204
    events = asyncio.run(installation.events())
    assert [record.type for record in events if record.topic == "engagement"] == ["TweetLiked"]


def test_a_kafka_whose_topics_were_made_anew_is_refused_until_the_state_is_folded_from_it(
    installation: Installation,
) -> None:
    """The new topics have other events at the old positions. No command is decided on a lost state."""
    with installation.process("serve", "command") as (process, client):
        ready(process, client)
        ada = register(client, "ada")
        assert post(client, ada, "lost").status_code == 201
        until_noted(installation)
    topics = [f"{installation.prefix}{topic}" for topic in ON_KAFKA]
    asyncio.run(delete_topics(installation.brokers, topics))
    until_applied(installation)
    write_others(installation)
    with installation.process("serve", "command") as (process, _):
        assert process.wait(SOON) == 4
        told = process.told()
        assert "the decision state does not fit the log" in told
        assert f"is event {OTHER} in the log" in told
    rebuilt = installation.command("rebuild", "decisions")
    assert (rebuilt.returncode, rebuilt.stdout) == (0, "the decision state is folded from 0 events of the log\n")
    with installation.process("serve", "command") as (process, client):
        ready(process, client)
        register(client, "ada")


def until_applied(installation: Installation) -> None:
    """Wait until Kafka has the topics again: it deletes them a moment later."""
    deadline = time.monotonic() + SOON
    while installation.command("topics", "apply").returncode != 0:
        assert time.monotonic() < deadline


def write_others(installation: Installation) -> None:
    """Fill the partitions with records of another producer."""
    others = Producer({"bootstrap.servers": installation.brokers})
    headers: dict[str, str | bytes | None] = {"ce_id": OTHER, "ce_type": "Other", "ce_specversion": "1.0"}
    for topic in SOURCES:
        for partition in range(PARTITIONS):
            for _ in range(9):
                others.produce(installation.prefix + topic, b"{}", b"key", partition, headers=headers)
    assert others.flush(SOON) == 0


def posted(client: httpx.Client, bearer: dict[str, str], text: str) -> str:
    """Post a tweet as soon as the server is back; return its id."""
    deadline = time.monotonic() + SOON
    while (answer := post(client, bearer, text, key=text)).status_code != 201:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    tweet: str = answer.json()["id"]
    return tweet


def test_files_for_a_folder_of_media_are_taken_where_everything_is_written(installation: Installation) -> None:
    with installation.process("serve", "command") as (process, client):
        ready(process, client)
        ada = register(client, "ada")
        body = {"content_type": "image/png"}
        form = client.post("/api/v1/media/uploads", headers=ada, json=body)
        assert form.is_success, form.text
        refused = client.post("/media-store", data={"key": "media/none"}, files={"file": b"x"})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-allowed")
