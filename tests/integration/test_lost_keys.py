"""`minitwitter keys lost` on a data directory: what a lost key sealed is found, and given up by command."""

import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.integration.running import Serving, minitwitter

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loss(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two accounts with two tweets each, and the key of one of them is gone."""
    data = tmp_path_factory.mktemp("lost") / "data"
    history = data.with_name("history.csv")
    rows = [f"{n},2015-02-20T08:0{n}:00Z,{name},tweet {n}" for n, name in enumerate(("ada", "bob", "ada", "bob"), 1)]
    history.write_text("\n".join(["tweet_id,created_at,username,text", *rows]) + "\n")
    assert minitwitter("import", "tweets", history, "--data", data).returncode == 0
    assert found(data) == (0, {"lost": [], "declared": False})
    connection = apsw.Connection(str(data / "log.db"))
    [(ada,)] = connection.execute(
        "SELECT json_extract(value, '$.account') FROM records WHERE type='AccountRegistered'"
        " AND json_extract(value, '$.username')='ada'"
    ).fetchall()
    connection.execute("DELETE FROM subject_keys WHERE subject=?", (ada,))
    connection.close()
    return data, str(ada)


def found(data: Path, *options: str) -> tuple[int, Any]:
    done = minitwitter("keys", "lost", "--json", "--data", data, *options)
    return done.returncode, json.loads(done.stdout)


def test_a_rehearsal_names_what_is_lost_and_changes_nothing(loss: tuple[Path, str]) -> None:
    data, ada = loss
    for _ in range(2):
        code, told = found(data)
        assert code == 1
        [lost] = told["lost"]
        assert (lost["subject"], lost["events"], told["declared"]) == (ada, 3, False)
        assert lost["first"].startswith("accounts-0@")
    text = minitwitter("keys", "lost", "--data", data)
    assert text.returncode == 1
    assert "1 key is lost, and 3 events cannot be read without" in text.stdout
    assert "--declare" in text.stdout


def test_once_given_up_what_it_sealed_counts_as_erased_and_the_rest_goes_on(loss: tuple[Path, str]) -> None:
    data, _ = loss
    with Serving(data):
        refused = minitwitter("keys", "lost", "--declare", "--data", data)
        assert refused.returncode == 3, refused.stderr
        assert "nothing was changed: stop the server, say this again" in refused.stderr
        assert refused.stderr.count("\n") == 1
    code, told = found(data, "--declare")
    assert (code, told["declared"], len(told["lost"])) == (0, True, 1)
    assert found(data) == (0, {"lost": [], "declared": False})
    rebuilt = minitwitter("rebuild", "--from-nothing", "--data", data)
    assert rebuilt.returncode == 0, rebuilt.stderr
    verified = minitwitter("verify", "--data", data)
    assert verified.returncode == 0, verified.stdout
    with Serving(data) as server:
        assert [item["tweet"]["text"] for item in server.get("/users/bob/tweets")["items"]] == ["tweet 4", "tweet 2"]
        assert server.http.get("/api/v1/users/ada/tweets").status_code == 404
        server.join("ada").post("the name is free")
