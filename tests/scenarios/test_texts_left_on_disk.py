"""What was deleted stands nowhere in the files of the embedded profile."""

from __future__ import annotations

from pathlib import Path

from events.sqlite.connection import connect
from tests.scenarios.people import Person
from tests.scenarios.service import Service

KEY = {"idempotency-key": "of my own making"}
WORD = "xylophonist"


def files_with(directory: Path, secret: bytes) -> set[str]:
    """The names of the database files that have the bytes in them, once all is in its place."""
    for name in ("log.db", "views.db"):
        connection = connect(directory / name, durable=False)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {path.name for path in paths if secret.lower() in path.read_bytes().lower()}


async def test_a_tweet_leaves_no_text_behind(ada: Person, service: Service, tmp_path: Path) -> None:
    tweet = (await ada.do("POST", "/tweets", {"text": f"one {WORD} of many"}, **KEY)).json()
    kept = (await ada.do("POST", "/tweets", {"text": "this stays"}, **{"idempotency-key": "2"})).json()
    await ada.do("PATCH", f"/tweets/{tweet['id']}", {"text": f"another {WORD}, edited"})
    await ada.read("/users/me")
    assert files_with(tmp_path, WORD.encode()) == {"views.db"}  # where readers find it
    await ada.do("DELETE", f"/tweets/{tweet['id']}")
    await ada.read("/users/me")
    assert files_with(tmp_path, WORD.encode()) == set()
    assert files_with(tmp_path, b"this stays") == {"views.db"}
    assert (await ada.read(f"/tweets/{kept['id']}"))["text"] == "this stays"


async def test_what_was_published_of_a_deleted_tweet_is_a_tombstone_and_no_hole(ada: Person, service: Service) -> None:
    tweet = await ada.post("one")
    other = await ada.post("other")
    await ada.do("PATCH", f"/tweets/{tweet['id']}", {"text": "two"})
    await ada.do("DELETE", f"/tweets/{tweet['id']}")
    await ada.read("/users/me")
    assert service.system.views is not None
    kinds = service.system.views.connection.execute(
        "SELECT key, type FROM records WHERE type IN ('TweetPublished', 'TweetRetracted') ORDER BY position"
    ).fetchall()
    assert sorted(kinds) == sorted([(tweet["id"], "TweetRetracted")] * 3 + [(other["id"], "TweetPublished")])
