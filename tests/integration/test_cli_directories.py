"""Commands on a data directory: one that is not there is not made by a slip of the pen, and tokens for its owner."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import jwt
import pytest

from tests.integration.running import PASSWORD
from tests.integration.typed import Typing

CSV = "tweet_id,created_at,username,text\n1,2015-02-17T07:36:05Z,Anna,hello\n2,2015-02-17T07:36:05Z,Berta,hello\n"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typing:
    monkeypatch.setenv("MINITWITTER_BCRYPT_COST", "4")
    return Typing(monkeypatch, capfd)


@pytest.mark.parametrize(
    "words",
    [
        ("accounts", "claim", "ada", "--password-stdin"),
        ("accounts", "claim", "ada"),
        ("token", "ada"),
        ("keys", "rotate-master"),
        ("keys", "rotate-signing"),
        ("rebuild", "--all"),
        ("rebuild", "tweets"),
        ("import", "graph", "file.txt"),
        ("dead-letters", "list"),
        ("dead-letters", "retry", "--all"),
        ("dead-letters", "discard", "tweets-0@1"),
        ("events", "count"),
        ("events", "tail", "--follow"),
        ("events", "show", "tweets-0@0"),
        ("verify",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("there", [False, True], ids=["no directory", "empty directory"])
def test_a_directory_without_a_log_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Typing, words: tuple[str, ...], there: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("1 2\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    directory = tmp_path / "typo"
    if there:
        directory.mkdir()
    ended = typed(*words, "--data", directory)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"minitwitter: there is no log in {directory}; start ")
    assert [*directory.iterdir()] == [] if there else not directory.exists()


def test_what_a_command_keeps_to_its_owner_ends_with_it(tmp_path: Path, typed: Typing) -> None:
    before = os.umask(0o022)
    try:
        assert typed("verify", "--data", tmp_path).code == 2
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_token_is_printed_for_whoever_owns_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Typing
) -> None:
    data, file = tmp_path / "data", tmp_path / "tweets.csv"
    file.write_text(CSV)
    assert typed("import", "tweets", file, "--data", data).code == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    assert typed("accounts", "claim", "anna", "--password-stdin", "--data", data).code == 0
    ended = typed("token", "ANNA", "--data", data)
    assert (ended.code, ended.err) == (0, "")
    (token,) = ended.out.splitlines()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 15 * 60
    started = typed("events", "tail", "--topic", "personal", "--data", data).out
    assert claims["sid"] in started
    unclaimed = typed("token", "berta", "--data", data)
    assert (unclaimed.code, unclaimed.out) == (1, "")
    assert "minitwitter accounts claim Berta" in unclaimed.err
    nobody = typed("token", "nobody", "--data", data)
    assert (nobody.code, nobody.err) == (1, "minitwitter: there is no account nobody\n")


def test_tokens_of_the_distributed_profile_come_from_its_api(
    typed: Typing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MINITWITTER_KAFKA_URL", "127.0.0.1:1")
    ended = typed("token", "ada", "--data", tmp_path)
    assert ended.code == 2
    assert "POST /auth/login" in ended.err


@pytest.mark.slow
def test_a_running_server_takes_the_token(tmp_path: Path) -> None:
    from tests.integration.running import Serving, minitwitter

    with Serving(tmp_path / "data") as server:
        server.join("alice")
        token = minitwitter("token", "alice", "--data", tmp_path / "data").stdout.strip()
        headers = {"Authorization": f"Bearer {token}"}
        assert server.get("/users/me", headers=headers)["username"] == "alice"
        sessions = server.get("/auth/sessions", headers=headers)["items"]
        assert "minitwitter token" in {session["user_agent"] for session in sessions}


@pytest.mark.parametrize("command", ["retry", "discard"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--entity", ""), "it looks like tweets/KEY"),
        (("--entity", "tweets"), "it looks like tweets/KEY"),
        (("--entity", "tweets/"), "it looks like tweets/KEY"),
        (("--entity", "/key"), "it looks like tweets/KEY"),
        (("--all", "--group", ""), "name a group"),
        (("--all", "--group", "servings"), "no group is called 'servings'; there are analytics, serving"),
        (("",), "it looks like tweets-0@42"),
    ],
)
def test_dead_letters_that_are_not_named_well_are_no_others(
    tmp_path: Path, typed: Typing, command: str, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "log.db").write_bytes(b"never opened")
    ended = typed("dead-letters", command, *words, "--data", tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert said in " ".join(ended.err.replace("│", " ").split())


def test_dead_letters_of_a_group_that_is_not_there_are_not_listed(tmp_path: Path, typed: Typing) -> None:
    (tmp_path / "log.db").write_bytes(b"never opened")
    for group in ("", "servings"):
        assert typed("dead-letters", "list", "--group", group, "--data", tmp_path).code == 2
