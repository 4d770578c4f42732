"""`minitwitter rebuild` beside a server that goes on, and without one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.integration.running import Serving, answered, minitwitter

pytestmark = pytest.mark.slow


def test_serving_goes_on_while_everything_is_rebuilt(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        alice, bob = server.join("alice"), server.join("bob")
        bob.follow(alice)
        for number in range(100):
            alice.post(f"number {number} #tag")
        done = threading.Event()
        posted: list[str] = []

        def write() -> None:
            while not done.is_set():
                posted.append(alice.post(f"meanwhile {len(posted)}"))
                assert bob.after(alice).get("/feed?limit=1")["items"][0]["tweet"]["id"] == posted[-1]

        writing = threading.Thread(target=write)
        writing.start()
        compared = answered("rebuild", "--all", "--data", data)
        done.set()
        writing.join()
        assert posted
        assert [one["model"] for one in compared if one["same"] is not True] == []
        assert {one["generation"] for one in compared} == {2}
        newest = bob.get("/feed?limit=1")["items"][0]["tweet"]["id"]
        assert newest == posted[-1]
        assert answered("verify", "--data", data)["same"]
        switched = answered("events", "count", "--topic", "operations", "--data", data)
        assert switched == {"operations": {"ReadModelSwitched": len(compared)}}


def test_going_back_is_a_switch_like_any_other(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        alice = server.join("alice")
        alice.post("one")
        answered("rebuild", "tweets", "--data", data)
        two = alice.post("two")
        (back,) = answered("rebuild", "tweets", "--back", "--data", data)
        assert (back["generation"], back["same"]) == (1, True)
        assert alice.get(f"/tweets/{two}")["text"] == "two"


def test_without_a_server_the_command_does_it_itself(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        server.join("alice").post("one")
    done = minitwitter("rebuild", "users", "counts", "--data", data)
    assert done.returncode == 0, done.stderr
    assert "users: generation 2, 1 row, the same as before" in done.stdout
    assert answered("verify", "--data", data)["same"]


def test_a_read_model_that_was_wrong_is_mended_and_said_to_have_been_different(tmp_path: Path) -> None:
    import apsw

    data = tmp_path / "data"
    with Serving(data) as server:
        tweet = server.join("alice").post("one")
    connection = apsw.Connection(str(data / "views.db"))
    connection.execute("DELETE FROM tweets_1")
    connection.close()
    mended = minitwitter("rebuild", "tweets", "--data", data)
    assert mended.returncode == 1
    assert "DIFFERENT from before" in mended.stdout
    with Serving(data) as server:
        assert server.get(f"/tweets/{tweet}")["text"] == "one"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["tweats"], 1, "there is no read model tweats; there are users,"),
        (["users", "--back"], 1, "no older generation of users is kept"),
        ([], 2, "name read models, or pass --all"),
        (["users", "--all"], 2, "name read models, or pass --all"),
    ],
)
def test_what_cannot_be_rebuilt_is_said_in_a_line(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    data, tweets = tmp_path / "data", tmp_path / "tweets.csv"
    tweets.write_text("tweet_id,created_at,username,text\n1,2020-01-01T00:00:00Z,ada,hello\n")
    assert minitwitter("import", "tweets", tweets, "--data", data).returncode == 0
    refused = minitwitter("rebuild", *arguments, "--data", data)
    assert refused.returncode == code, refused.stderr
    assert said in " ".join(refused.stderr.split())
