"""`minitwitter import` into the distributed profile: real tweets, decided on PostgreSQL and appended to Kafka."""

import asyncio
import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import psycopg
import pytest
from psycopg.rows import TupleRow

from events.accounts import AccountRegistered
from events.event import Envelope, Event
from events.first_copies import first_copies
from events.graph import AccountFollowed
from events.tweets import TweetPosted
from tests.integration.installation import ROOT, Installation, ready, until_noted

E = TypeVar("E", bound=Event)

DATA = ROOT.parent / "shared" / "data"
TWEETS = DATA / "airline-tweets.csv"
ROWS = 300

pytestmark = [
    pytest.mark.engines,
    pytest.mark.slow,
    pytest.mark.skipif(not TWEETS.exists(), reason="the real tweets are not in ../shared/data"),
]


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str) -> Installation:
    return Installation(tmp_path, kafka, postgres).set_up()


@pytest.fixture
def some(tmp_path: Path) -> tuple[Path, list[dict[str, str]]]:
    """A file of the first of the real tweets, and their rows."""
    with TWEETS.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        rows = [row for _, row in zip(range(ROWS), reader, strict=False)]
        fields = reader.fieldnames
        assert fields is not None
    path = tmp_path / "some.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)
    return path, rows


def importing(installation: Installation, what: str, path: Path) -> dict[str, Any]:
    done = installation.command("import", what, str(path), "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def events(installation: Installation, kind: type[E]) -> list[tuple[E, Envelope]]:
    """The first copies: what Kafka took too late stands there once more, from the relay."""
    copies = first_copies(asyncio.run(installation.events()), {})
    return [(copy.event, copy.about) for copy in copies if isinstance(copy.event, kind)]


def select(installation: Installation, query: LiteralString) -> list[TupleRow]:
    with psycopg.connect(installation.url) as connection:
        return connection.execute(query).fetchall()


def test_real_tweets_and_a_graph_stand_in_kafka_once_however_often_they_are_imported(
    installation: Installation, some: tuple[Path, list[dict[str, str]]], tmp_path: Path
) -> None:
    path, rows = some
    first = importing(installation, "tweets", path)
    refused = len(first["refused"])
    assert (first["rows"], first["there"], first["duplicates"]) == (ROWS, 0, 0)
    assert first["new"] == ROWS - refused > 0.9 * ROWS
    with installation.process("work", "relay") as relay:  # has what Kafka had not taken in time
        ready(*relay)
        until_noted(installation)
    again = importing(installation, "tweets", path)
    assert (again["new"], again["there"], len(again["refused"])) == (0, first["new"], refused)
    posted = events(installation, TweetPosted)
    assert len(posted) == len({event.tweet for event, _ in posted}) == first["new"]
    assert all(event.imported and about.causation == "import" for event, about in posted)
    names = {event.account: event.username.lower() for event, _ in events(installation, AccountRegistered)}
    assert len(names) == len(set(names.values()))
    assert set(names.values()) <= {row["username"].lower() for row in rows}
    # Every process that decides knows of them.
    assert select(installation, "SELECT count(*) FROM decision_tweets") == [(first["new"],)]

    edges = tmp_path / "edges.txt"
    edges.write_text("1 2\n1 3\n")
    assert importing(installation, "graph", edges)["new"] == 4
    assert importing(installation, "graph", edges)["new"] == 0
    tweets = Counter(event.author for event, _ in posted)
    friends = Counter(event.followee for event, _ in events(installation, AccountFollowed))
    [(busiest, two)] = friends.most_common(1)
    assert (two, tweets[busiest]) == (2, max(tweets.values())), "who has most friends is who has most tweets"
