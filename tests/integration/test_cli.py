"""The other commands: looking at the log, accounts, keys; each with help that has an example."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.integration.running import PASSWORD, ROOT, Serving, answered, environment, minitwitter

COMMANDS = (
    "serve",
    "settings",
    "verify",
    "rebuild",
    "import tweets",
    "import graph",
    "events tail",
    "events show",
    "events count",
    "accounts claim",
    "accounts role",
    "keys rotate-master",
    "keys rotate-signing",
)
CSV = "tweet_id,created_at,username,text\n1,2015-02-17T07:36:05Z,Anna,hello\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that a server has been on."""
    directory = tmp_path_factory.mktemp("cli") / "data"
    with Serving(directory) as server:
        alice, bob = server.join("alice"), server.join("bob")
        bob.follow(alice)
        bob.after(alice).like(alice.post("a secret text"))
    return directory


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_the_common_options(command: str) -> None:
    shown = minitwitter(*command.split(), "--help")
    assert shown.returncode == 0
    text = " ".join(shown.stdout.split())
    assert re.search(rf"Example: (MINITWITTER_PORT=9000 )?minitwitter {command}", text)
    assert "--data" in text
    assert "--port" in text


@pytest.mark.slow
def test_tail_prints_cloud_events_and_goes_on_from_a_position(data: Path) -> None:
    lines = [json.loads(line) for line in minitwitter("events", "tail", "--data", data).stdout.splitlines()]
    kinds = [line["type"] for line in lines]
    assert kinds[:2] == ["AccountRegistered", "SessionStarted"]
    assert {"AccountFollowed", "TweetPosted", "TweetLiked"} <= set(kinds)
    posted = next(line for line in lines if line["type"] == "TweetPosted")
    assert posted["specversion"] == "1.0"
    assert posted["dataschema"] == "/schemas/tweets/TweetPosted.v3.json"
    assert posted["position"] == "tweets-0@0"
    accounts = minitwitter("events", "tail", "--topic", "accounts", "--data", data).stdout.splitlines()
    assert len(accounts) == 2
    later = minitwitter("events", "tail", "--topic", "accounts", "--after", "accounts-0@0", "--data", data).stdout
    assert later.splitlines() == accounts[1:]


@pytest.mark.slow
def test_sealed_fields_are_shown_only_when_asked_for(data: Path) -> None:
    plain = minitwitter("events", "tail", "--data", data).stdout
    assert "a secret text" not in plain
    assert "alice@example.org" not in plain
    unsealed = minitwitter("events", "tail", "--unseal", "--data", data).stdout
    assert "a secret text" in unsealed
    assert "alice@example.org" in unsealed


@pytest.mark.slow
def test_show_finds_an_event_by_its_place_and_by_its_id(data: Path) -> None:
    by_place = json.loads(minitwitter("events", "show", "tweets-0@0", "--data", data).stdout)
    assert by_place["type"] == "TweetPosted"
    assert json.loads(minitwitter("events", "show", by_place["id"], "--data", data).stdout) == by_place
    missing = minitwitter("events", "show", "tweets-0@99", "--data", data)
    assert (missing.returncode, missing.stderr) == (1, "minitwitter: there is no event tweets-0@99\n")
    assert minitwitter("events", "show", "nonsense", "--data", data).returncode == 2


@pytest.mark.slow
def test_count_counts_by_topic_and_type(data: Path) -> None:
    counted = answered("events", "count", "--data", data)
    assert counted["tweets"] == {"TweetPosted": 1}
    assert counted["accounts"] == {"AccountRegistered": 2}
    assert answered("events", "count", "--topic", "graph", "--data", data) == {"graph": {"AccountFollowed": 1}}
    assert "AccountRegistered" in minitwitter("events", "count", "--data", data).stdout


@pytest.mark.slow
def test_where_there_is_no_log_that_is_said(tmp_path: Path) -> None:
    missing = minitwitter("events", "count", "--data", tmp_path)
    assert missing.returncode == 2
    assert missing.stderr == (
        f"minitwitter: there is no log in {tmp_path}; start `minitwitter serve --data {tmp_path}` first\n"
    )


@pytest.mark.slow
def test_an_imported_account_is_claimed_once(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "tweets.csv"
    file.write_text(CSV)
    answered("import", "tweets", file, "--data", data)
    claim = ("accounts", "claim", "Anna", "--password-stdin", "--data", data)
    assert minitwitter(*claim, stdin="short\n").stderr == "minitwitter: a password has at least 8 characters\n"
    assert minitwitter(*claim, stdin=f"{PASSWORD}\n").stdout == "Anna can sign in now\n"
    again = minitwitter(*claim, stdin=f"{PASSWORD}\n")
    assert again.returncode == 1
    assert "has a password already" in again.stderr
    nobody = minitwitter("accounts", "claim", "nobody", "--password-stdin", "--data", data, stdin=f"{PASSWORD}\n")
    assert (nobody.returncode, nobody.stderr) == (1, "minitwitter: there is no account nobody\n")
    with Serving(data) as server:
        server.sign_in("anna")


@pytest.mark.slow
def test_the_master_key_is_replaced_beside_a_server_and_everything_stays_readable(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        alice = server.join("alice")
        alice.post("before")
        old = (data / "master.key").read_text()
        done = minitwitter("keys", "rotate-master", "--data", data)
        assert done.returncode == 0, done.stderr
        new = (data / "master.key").read_text()
        assert len(new.splitlines()) == 1
        assert new != old
        alice.post("after")
        server.join("bob").post("bob has a key of the new one's from the start")
        texts = [item["tweet"]["text"] for item in alice.get("/users/alice/tweets")["items"]]
        assert texts == ["after", "before"]
        assert answered("verify", "--data", data)["same"]
    with Serving(data) as server:
        server.sign_in("alice")


@pytest.mark.slow
def test_a_rotation_that_was_broken_off_is_completed_by_the_next(tmp_path: Path) -> None:
    from events.sealing import MasterKeys

    data = tmp_path / "data"
    with Serving(data) as server:
        server.join("alice").post("a text")
    # As after a crash between saving the new key and wrapping anything with it.
    MasterKeys.generate(older=MasterKeys.load(data / "master.key")).save(data / "master.key")
    assert len((data / "master.key").read_text().splitlines()) == 2
    assert "a text" in minitwitter("events", "tail", "--unseal", "--data", data).stdout
    assert minitwitter("keys", "rotate-master", "--data", data).returncode == 0
    assert len((data / "master.key").read_text().splitlines()) == 1
    assert "a text" in minitwitter("events", "tail", "--unseal", "--data", data).stdout


@pytest.mark.slow
def test_tokens_outlive_the_rotation_of_the_signing_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        alice = server.join("alice")
        before = server.http.get("/.well-known/jwks.json").json()["keys"]
        assert minitwitter("keys", "rotate-signing", "--data", data).returncode == 0
        after = server.http.get("/.well-known/jwks.json").json()["keys"]
        assert [key["kid"] for key in after[:-1]] == [key["kid"] for key in before]
        alice.post("with the token of before")
        server.sign_in("alice").post("with a new one")


@pytest.mark.slow
def test_tail_follows_what_is_appended(tmp_path: Path) -> None:
    import subprocess
    import sys

    data = tmp_path / "data"
    with Serving(data) as server:
        alice = server.join("alice")
        follow = [sys.executable, "-m", "runtime.cli", "events", "tail", "-f", "--limit", "1", "--topic", "tweets"]
        with subprocess.Popen(
            [*follow, "--from", "tweets-0@0", "--data", data], stdout=subprocess.PIPE, env=environment(), cwd=ROOT
        ) as following:
            tweet = alice.post("seen at once")
            out, _ = following.communicate(timeout=30)
        assert json.loads(out)["data"]["tweet"] == tweet
        assert following.returncode == 0
