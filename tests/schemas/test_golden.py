"""Law 8: every event version that was ever written stays readable."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from events.codec import Codec
from events.event import BY_NAME
from events.ids import AccountId
from events.sealing import MasterKeys, Sealer, WrappedKey
from events.upcasters import UPCASTERS
from schemas.wiring import ROOT

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.v*.json"))
NAMES = [path.stem for path in FILES]

BROUGHT_TO_TODAY: dict[str, dict[str, Any]] = {
    "TweetPosted.v1": {"sensitive": True, "content_warning": None},
}
"""The present fields of an old version's golden file, if fields were renamed. The files never change; this does."""


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def codec_of_the_time() -> Codec:
    sealer = Sealer(MasterKeys.load(GOLDEN / "master.key"))
    keys = load(GOLDEN / "keys.json")
    sealer.learn(
        {AccountId(name): WrappedKey(key["master"], base64.b64decode(key["wrapped"])) for name, key in keys.items()}
    )
    return Codec(sealer)


def decode(golden: dict[str, Any]) -> Any:
    codec = codec_of_the_time()
    return codec.finish(codec.parse(golden["type"], golden["version"], golden["value"].encode(), golden["id"]))


def test_every_version_of_every_event_has_a_golden_file() -> None:
    expected = {f"{name}.v{version}" for name, kind in BY_NAME.items() for version in range(1, kind.version + 1)}
    assert set(NAMES) == expected


def test_no_golden_file_and_no_superseded_schema_was_edited() -> None:
    listed: dict[str, str] = {}
    for line in (GOLDEN / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ", 1)
        assert listed.setdefault(name, digest) == digest
    edited = [n for n, digest in listed.items() if hashlib.sha256((GOLDEN / n).read_bytes()).hexdigest() != digest]
    assert edited == []
    assert {path.name for path in FILES} | {"master.key", "keys.json"} <= listed.keys()


def test_every_superseded_schema_and_example_is_listed_as_frozen() -> None:
    listed = {line.split("  ", 1)[1] for line in (GOLDEN / "SHA256SUMS").read_text().splitlines()}
    for kind in BY_NAME.values():
        for version in range(1, kind.version):
            for folder in (f"schemas/{kind.topic}", f"schemas/{kind.topic}/examples"):
                assert f"../../../{folder}/{kind.name}.v{version}.json" in listed


def still_says(today: Any, written: Any) -> bool:
    """Return whether all old fields are present and equal; new fields may be added."""
    if isinstance(written, dict):
        return isinstance(today, dict) and all(n in today and still_says(today[n], v) for n, v in written.items())
    if isinstance(written, list):
        return isinstance(today, list) and len(today) == len(written) and all(map(still_says, today, written))
    return bool(today == written)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_what_was_once_written_still_says_the_same(path: Path) -> None:
    golden = load(path)
    today = json.loads(msgspec.json.encode(decode(golden)))
    changed = BROUGHT_TO_TODAY.get(path.stem, {})
    kept = {name: value for name, value in golden["fields"].items() if name in today}
    gone = golden["fields"].keys() - today.keys()

    assert still_says(today, kept | changed)
    assert not gone or changed, f"say in BROUGHT_TO_TODAY what became of {gone}"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_what_was_once_written_fits_the_schema_of_its_version(path: Path) -> None:
    golden = load(path)
    schema = load(ROOT / "schemas" / golden["topic"] / f"{golden['type']}.v{golden['version']}.json")
    Draft202012Validator(schema).validate(json.loads(golden["value"]))
    assert set(json.loads(golden["value"])) - {"sealed"} <= schema["properties"].keys()


def test_a_tweet_of_version_1_is_read_as_todays() -> None:
    golden = load(GOLDEN / "TweetPosted.v1.json")
    tweet = decode(golden)
    assert (golden["fields"]["nsfw"], tweet.sensitive, tweet.content_warning) == (True, True, None)
    assert tweet.text == "Grace was here #first"


def test_every_step_from_an_old_version_has_its_upcaster() -> None:
    steps = {(name, version) for name, kind in BY_NAME.items() for version in range(1, kind.version)}
    assert set(UPCASTERS) == steps
