"""`minitwitter events` in the distributed profile: the options and the output of the embedded one."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installation import Installation, post, ready, register

pytestmark = [pytest.mark.engines, pytest.mark.slow]


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str, redis: str) -> Installation:
    return Installation(tmp_path, kafka, postgres, redis=redis).set_up()


def printed(installation: Installation, *words: str) -> list[dict[str, Any]]:
    done = installation.command("events", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_events_are_tailed_shown_and_counted_where_they_are_in_kafka(installation: Installation) -> None:
    with installation.process("serve", "command") as (process, client):
        ready(process, client)
        ada = register(client, "ada")
        texts = ["one", "two", "three"]
        for text in texts:
            assert post(client, ada, text).status_code == 201
    tweets = printed(installation, "tail", "--topic", "tweets", "--unseal")
    assert [tweet["data"]["text"] for tweet in tweets] == texts
    assert [tweet["id"] for tweet in printed(installation, "tail", "--topic", "tweets", "-n", "2")] == [
        tweet["id"] for tweet in tweets[1:]
    ]
    after = printed(installation, "tail", "--topic", "tweets", "--after", tweets[0]["position"], "--limit", "1")
    assert [tweet["position"] for tweet in after] == [tweets[1]["position"]]
    for name in (tweets[1]["position"], tweets[1]["id"]):
        shown = installation.command("events", "show", name, "--unseal")
        assert json.loads(shown.stdout) == tweets[1], shown.stderr
    assert installation.command("events", "show", "tweets-0@999").returncode in (1, 2)
    assert installation.command("events", "tail", "--from", "tweets-0@999").returncode == 2
    without_keys = {"MINITWITTER_MASTER_KEY_FILE": "/nowhere", "MINITWITTER_POSTGRES_URL": "postgresql://nobody:1/none"}
    counted = installation.command("events", "count", "--json", **without_keys)
    assert json.loads(counted.stdout) == {
        "accounts": {"AccountRegistered": 1},
        "tweets": {"TweetPosted": 3},
        "personal": {"SessionStarted": 1},
    }, counted.stderr
