"""`minitwitter import` into the distributed profile, of a file that says otherwise of tweets that are there."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from events.accounts import AccountRegistered
from events.tweets import TweetPosted
from tests.integration.installation import Installation

pytestmark = [pytest.mark.engines, pytest.mark.slow]

HEADER = "tweet_id,created_at,username,text\n"
FIRST = HEADER + (
    "1,2015-02-17T07:36:05Z,Anna,hello @berta\n"
    "2,2015-02-17T08:00:00Z,Berta,one text\n"
    "3,1970-01-01T00:00:00Z,epoch_ann,too early\n"
)
SECOND = HEADER + (
    "1,2016-01-01T00:00:00Z,Anna,hello @berta\n"
    "2,2015-02-17T08:00:00Z,Berta,another text\n"
    "2,2015-02-17T08:00:00Z,Carla,a third\n"
    "4,2015-02-17T08:00:00Z,Anna,new\n"
)
FOREIGN = HEADER + "2,2015-02-17T08:00:00Z,Carla,not hers\n"


def importing(installation: Installation, path: Path, text: str, code: int = 0) -> dict[str, Any]:
    path.write_text(text)
    done = installation.command("import", "tweets", str(path), "--json")
    assert done.returncode == code, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_tweet_is_there_once_and_nothing_is_made_of_what_is_refused(
    tmp_path: Path, kafka: str, postgres: str
) -> None:
    installation = Installation(tmp_path, kafka, postgres).set_up()
    first = importing(installation, tmp_path / "first.csv", FIRST)
    assert (first["new"], [row["line"] for row in first["refused"]]) == (2, [4])
    second = importing(installation, tmp_path / "second.csv", SECOND)
    assert (second["new"], second["there"], second["refused"]) == (1, 2, [])
    assert [row["line"] for row in second["differing"]] == [2, 3, 4]
    assert "stays, of 2015-02-17T07:36:05.000Z" in second["differing"][0]["reason"]
    assert "stays, with another text" in second["differing"][1]["reason"]
    foreign = importing(installation, tmp_path / "foreign.csv", FOREIGN, code=1)
    assert "tweet of another account" in foreign["refused"][0]["reason"]
    records = asyncio.run(installation.events())
    assert sorted(r.event.text for r in records if isinstance(r.event, TweetPosted)) == [
        "hello @berta",
        "new",
        "one text",
    ]
    assert sorted(r.event.username for r in records if isinstance(r.event, AccountRegistered)) == ["Anna", "Berta"]
