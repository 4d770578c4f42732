"""The drill: PostgreSQL is restored from a backup after people registered, posted, followed, deleted and signed out."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from events.accounts import AccountRegistered
from events.topics import KEYS
from tests.integration.installation import SOON, Installation, installed, post, ready, register
from tests.on_kafka import delete_topics
from tests.records import event_of

pytestmark = [pytest.mark.engines, pytest.mark.slow]

PASSWORD, ANOTHER = "correct horse battery", "a staple in the rain"


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str) -> Iterator[Installation]:
    with installed(tmp_path, kafka, postgres, cassandra, redis) as made:
        yield made


@pytest.fixture
def deciding(tmp_path: Path, kafka: str, postgres: str, redis: str) -> Installation:
    """An installation with the command side only."""
    return Installation(tmp_path, kafka, postgres, redis=redis).set_up()


def tool(name: str) -> str:
    """Run a program of PostgreSQL."""
    found = shutil.which(name) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if found is None:
        message = f"{name} is not on this machine; it comes with PostgreSQL"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def all_published(installation: Installation) -> bool:
    """Whether everything in the outbox is published."""
    with psycopg.connect(installation.url, autocommit=True) as connection:
        [(left,)] = connection.execute(
            "SELECT (SELECT count(*) FROM outbox WHERE published IS NULL)"
            " + (SELECT count(*) FROM subject_keys WHERE NOT published)"
            " + (SELECT count(*) FROM passwords WHERE NOT published)"
        ).fetchall()
    return bool(left == 0)


def sign_in(client: httpx.Client, name: str, password: str) -> httpx.Response:
    return client.post("/api/v1/auth/login", json={"login": name, "password": password})


def bearer(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def test_an_installation_works_on_with_a_database_restored_from_before_people_registered(
    installation: Installation,
) -> None:
    dump = installation.directory / "backup.dump"
    with installation.process("serve", "command") as (process, client):
        ready(process, client)
        ada, bob = register(client, "ada"), register(client, "bob")
        early = post(client, ada, "from before").json()["id"]
        until(lambda: all_published(installation))
        subprocess.run([tool("pg_dump"), "--format=custom", f"--file={dump}", installation.url], check=True)
        cam = register(client, "cam")
        late = post(client, cam, "from after").json()["id"]
        assert client.post("/api/v1/users/cam/follow", headers=ada).is_success
        assert client.delete(f"/api/v1/tweets/{early}", headers=ada).status_code == 204
        changed = {"current_password": PASSWORD, "new_password": ANOTHER}
        assert client.post("/api/v1/auth/password", json=changed, headers=ada).is_success
        assert client.post("/api/v1/auth/logout", headers=bob).is_success
        until(lambda: all_published(installation))
    subprocess.run(
        [tool("pg_restore"), "--clean", "--if-exists", f"--dbname={installation.url}", str(dump)], check=True
    )
    # Workers come first: what they read is sealed with keys that the database has not.
    with (
        installation.process("work", "projectors") as (working, projectors),
        installation.process("work", "streams") as (following, streams),
        installation.process("serve", "command") as (process, client),
        installation.process("serve", "query") as (reading, query),
    ):
        for one, asked in ((working, projectors), (following, streams), (process, client), (reading, query)):
            ready(one, asked)
        assert sign_in(client, "ada", PASSWORD).status_code == 401, "the password of before is not good again"
        ada, cam = bearer(sign_in(client, "ada", ANOTHER)), bearer(sign_in(client, "cam", PASSWORD))
        until(lambda: post(client, bob, "signed out").status_code == 401)
        assert client.delete(f"/api/v1/tweets/{early}", headers=ada).status_code == 410
        taken = {"username": "CAM", "email": "other@example.org", "password": PASSWORD}
        assert client.post("/api/v1/auth/register", json=taken).status_code == 409
        last = post(client, cam, "after the restore")
        assert last.status_code == 201, last.text
        dan = register(client, "dan")
        told = {**dan, "consistency-token": last.headers["consistency-token"]}

        def texts() -> list[str]:
            page = query.get("/api/v1/users/cam/tweets", headers=told)
            return [item["tweet"]["text"] for item in page.json()["items"]] if page.status_code == 200 else []

        until(lambda: texts() == ["after the restore", "from after"])
        assert query.get(f"/api/v1/tweets/{early}").status_code in (404, 410)
        assert query.get(f"/api/v1/tweets/{late}").json()["text"] == "from after"
        followers = query.get("/api/v1/users/cam/followers", headers=told).json()["items"]
        assert [follower["username"] for follower in followers] == ["ada"]
        kinds = query.get("/api/v1/notifications", headers=cam).json()["items"]
        assert [(told["kind"], told["actors"][0]["username"]) for told in kinds] == [("follow", "ada")]
        assert installation.command("dead-letters", "list").returncode == 0
    records = asyncio.run(installation.events())
    begun = [event_of(record, AccountRegistered).username for record in records if record.type == "AccountRegistered"]
    assert sorted(begun) == ["ada", "bob", "cam", "dan"]
    assert sum(record.type == "TweetDeleted" for record in records) == 1
    assert not [record for record in records if record.fault]


def forget_kept(installation: Installation) -> None:
    """Replace Kafka's topic of keys with an empty one."""
    asyncio.run(delete_topics(installation.brokers, [installation.prefix + KEYS.name]))
    until(lambda: installation.command("topics", "apply").returncode == 0)


def test_keys_that_nobody_has_any_more_are_given_up_and_everything_else_goes_on(deciding: Installation) -> None:
    """At first Kafka has the key and nothing is lost. Then the topic is emptied."""
    with deciding.process("serve", "command") as (process, client):
        ready(process, client)
        register(client, "ada")
        eve = register(client, "eve")
        assert post(client, eve, "sealed for ever").status_code == 201
        until(lambda: all_published(deciding))
    with psycopg.connect(deciding.url, autocommit=True) as connection:
        [(lost,)] = connection.execute("SELECT id FROM decision_accounts WHERE username='eve'").fetchall()
        connection.execute("DELETE FROM subject_keys WHERE subject=%s", (lost,))
        assert deciding.command("keys", "lost").stdout == "no key is lost\n"
        forget_kept(deciding)
        connection.execute("DELETE FROM subject_keys WHERE subject=%s", (lost,))
    rehearsed = deciding.command("keys", "lost")
    assert (rehearsed.returncode, "1 key is lost, and 3 events" in rehearsed.stdout) == (1, True), rehearsed.stdout
    assert "closed connection" not in rehearsed.stderr
    declared = deciding.command("keys", "lost", "--declare")
    assert declared.returncode == 0, declared.stderr
    assert deciding.command("keys", "lost").returncode == 0
    records = asyncio.run(deciding.events())
    unreadable = sorted(record.type for record in records if record.event is None and not record.fault)
    assert unreadable == ["AccountRegistered", "SessionStarted", "TweetPosted"]
