"""`minitwitter accounts role` beside running servers of both profiles: it counts from the next request on."""

import json
import time
from pathlib import Path

import pytest

from tests.integration.installation import SOON, Installation
from tests.integration.running import Serving, minitwitter


@pytest.mark.slow
def test_a_role_is_given_beside_a_server_and_counts_for_tokens_it_issued(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        ada = server.join("ada")
        given = minitwitter("accounts", "role", "ADA", "analyst", "--data", data)
        assert (given.stdout, given.stderr) == ("ada has the role analyst now\n", "")
        again = minitwitter("accounts", "role", "ada", "analyst", "--data", data)
        assert again.stdout == "ada has the role analyst already\n"
        deadline = time.monotonic() + SOON
        while ada.get("/users/me")["role"] != "analyst":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        nobody = minitwitter("accounts", "role", "nobody", "admin", "--data", data)
        assert (nobody.returncode, nobody.stderr) == (1, "minitwitter: there is no account nobody\n")
        unknown = minitwitter("accounts", "role", "ada", "king", "--data", data)
        assert unknown.returncode == 2
        assert "there is no role king; the roles are user, analyst, moderator, admin" in " ".join(
            unknown.stderr.split()
        )
    taken = minitwitter("accounts", "role", "ada", "user", "--data", data)
    assert taken.stdout == "ada has the role user now\n"
    changes = minitwitter("events", "tail", "--topic", "accounts", "--data", data).stdout.splitlines()
    roles = [event["data"]["role"] for event in map(json.loads, changes) if event["type"] == "RoleChanged"]
    assert roles == ["analyst", "user"]


@pytest.mark.engines
@pytest.mark.slow
def test_a_role_is_given_in_the_distributed_profile(tmp_path: Path, kafka: str, postgres: str) -> None:
    installation = Installation(tmp_path, kafka, postgres).set_up()
    history = tmp_path / "history.csv"
    history.write_text("tweet_id,created_at,username,text\n1,2015-02-17T07:36:05Z,Anna,hello\n")
    assert installation.command("import", "tweets", str(history)).returncode == 0
    given = installation.command("accounts", "role", "anna", "moderator")
    assert (given.stdout, given.stderr) == ("Anna has the role moderator now\n", "")
    nobody = installation.command("accounts", "role", "nobody", "admin")
    assert (nobody.returncode, nobody.stderr) == (1, "minitwitter: there is no account nobody\n")
