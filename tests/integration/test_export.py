"""`minitwitter events export`, in both profiles: beside processes, killed in between, to a directory and to S3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pyarrow.dataset
import pytest

from runtime.exporting.destination import destination
from runtime.exporting.manifest import NAME, load
from tests.integration.installation import SOON, Installation
from tests.integration.running import ROOT, Serving, environment, minitwitter

pytestmark = pytest.mark.slow
HISTORY = "tweet_id,created_at,username,text\n" + "".join(
    f"{n},2015-02-{17 + n % 3}T07:36:05Z,user_{n % 40},tweet number {n}\n" for n in range(2_000)
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with an imported history."""
    directory = tmp_path_factory.mktemp("export")
    (directory / "history.csv").write_text(HISTORY)
    done = minitwitter("import", "tweets", directory / "history.csv", "--data", directory / "data")
    assert done.returncode == 0, done.stderr
    return directory / "data"


def table(out: Path, topic: str) -> list[dict[str, Any]]:
    """Read a topic of an export as a data engineer would."""
    rows: list[dict[str, Any]] = (
        pyarrow.dataset.dataset(out / f"topic={topic}", partitioning="hive", exclude_invalid_files=False)
        .to_table()
        .to_pylist()
    )
    return rows


def test_an_export_has_days_and_types_and_no_sealed_text(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = minitwitter("events", "export", "--out", out, "--data", data)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2,040 events in 4 files of {out}\n"
    tweets = table(out, "tweets")
    assert {row["date"] for row in tweets} == {"2015-02-17", "2015-02-18", "2015-02-19"}
    assert len({row["TweetPosted"]["tweet"] for row in tweets}) == 2_000
    assert b"tweet number" not in b"".join(path.read_bytes() for path in out.rglob("*.parquet"))
    again = minitwitter("events", "export", "--out", out, "--data", data, "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout) == json.loads((out / NAME).read_text())


def test_sealed_fields_are_opened_for_a_purpose_that_the_log_keeps(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    with Serving(data) as server:
        ada = server.join("ada")
        ada.post("a secret text")
        command = ("events", "export", "--topic", "tweets", "--unseal", "--out", out, "--data", data)
        refused = minitwitter(*command)
        assert refused.returncode == 2
        assert "say with --purpose what the personal data is for" in " ".join(refused.stderr.split())
        done = minitwitter(*command, "--purpose", "a  study")
        assert (done.returncode, done.stderr) == (0, "")
        [tweet] = table(out, "tweets")
        assert tweet["TweetPosted"]["text"] == "a secret text"
        kept = minitwitter("events", "tail", "--topic", "operations", "--data", data).stdout.splitlines()
        [opened] = [event for event in map(json.loads, kept) if event["type"] == "SealedFieldsOpened"]
        assert opened["data"]["topics"] == ["tweets"]
        assert opened["data"]["purpose"] == "a study"
        assert opened["data"]["by"]


def test_an_export_that_is_killed_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = (
        "events",
        "export",
        "--format",
        "ndjson",
        "--out",
        str(out),
        "--data",
        str(data),
        "--follow",
        "--every",
        "0.1",
    )
    following = subprocess.Popen([sys.executable, "-m", "runtime.cli", *command], cwd=ROOT, env=environment())
    deadline = time.monotonic() + SOON
    while (manifest := load(destination(str(out)))) is None or not manifest.events:
        assert time.monotonic() < deadline
        assert following.poll() is None
        time.sleep(0.02)
    following.kill()
    following.wait()
    done = minitwitter(*command[:-3])
    assert (done.returncode, done.stdout) == (0, f"2,040 events in {len(load_files(out))} files of {out}\n")
    assert sorted(path.name for path in out.rglob("*.unfinished")) == []


def load_files(out: Path) -> list[str]:
    """Return the files in the manifest; each one is there."""
    manifest = load(destination(str(out)))
    assert manifest is not None
    paths = [file.path for file in manifest.files]
    assert all((out / path).is_file() for path in paths)
    return paths


def test_ctrl_c_says_that_the_same_command_goes_on(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("events", "export", "--out", str(out), "--data", str(data), "--follow")
    following = subprocess.Popen(
        [sys.executable, "-m", "runtime.cli", *command], cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + SOON
    while not (out / NAME).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    second = minitwitter(*command)
    assert (second.returncode, second.stderr) == (
        2,
        f"minitwitter: another export writes to {out}; stop it, or choose another place\n",
    )
    os.kill(following.pid, signal.SIGINT)
    _, said = following.communicate(timeout=SOON)
    assert following.returncode == 130
    assert said == (
        "minitwitter: stopped; what is named in the manifest is exported; the same command goes on from there\n"
    )


def test_the_log_and_its_export_are_checked(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert minitwitter("events", "export", "--out", out, "--data", data).returncode == 0
    check = ("events", "check", "--against", out, "--data", data)
    whole = minitwitter(*check)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout == (
        "2,040 events read; 4 files of the export compared\n"
        "no offset is missing; every event is readable, in its partition, and has its cause\n"
    )
    first, *_ = sorted(out.rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-1])
    wrong = minitwitter(*check)
    assert wrong.returncode == 1
    assert f"file  {first.relative_to(out)}  its digest is not the manifest's" in wrong.stdout
    told = minitwitter(*check, "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["wrong"] == {"file": 1}
    nothing = minitwitter("events", "check", "--against", tmp_path, "--data", data)
    assert (nothing.returncode, nothing.stderr) == (2, "minitwitter: there is no manifest.json: this is no export\n")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--format", "csv"), 2, "there is no format csv; there are parquet and ndjson"),
        (("--topic", "tweet"), 2, "there is no topic tweet; there are accounts"),
        (("--from", "yesterday"), 2, "'yesterday' is no position; it looks like tweets-0@15"),
        (("--from", "2015-02-31"), 2, "is not a time like"),
        (("--to", "tweets-0@999999"), 2, "is beyond the end of tweets-0"),
        (("--follow", "--to", "tweets-0@3"), 2, "--follow has no end; leave out --to"),
        (("--out", "s3://bucket"), 2, "an S3 store is given as s3://KEY:SECRET@HOST:PORT/BUCKET"),
        (("--out", "s3://key:secret@127.0.0.1:1/bucket"), 5, "the S3 store does not answer"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_reason(
    data: Path, tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    done = minitwitter("events", "export", "--out", tmp_path / "out", "--data", data, *options)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    done = minitwitter("events", "export", "--out", tmp_path / "out", "--data", data)
    assert (done.returncode, done.stderr) == (
        2,
        f"minitwitter: {tmp_path / 'out'} is no directory; name one that is new, or that has an export\n",
    )


@pytest.mark.engines
def test_a_log_in_kafka_is_exported_to_s3(tmp_path: Path, kafka: str, postgres: str, s3: str) -> None:
    installation = Installation(tmp_path, kafka, postgres).set_up()
    (tmp_path / "history.csv").write_text(HISTORY)
    assert installation.command("import", "tweets", str(tmp_path / "history.csv")).returncode == 0
    parts = urlsplit(s3)
    out = f"{parts.scheme}://{parts.netloc}/export-{uuid.uuid4().hex[:12]}/of/a/log"
    done = installation.command("events", "export", "--out", out, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    to = destination(out)
    manifest = load(to)
    assert manifest is not None
    assert json.loads(done.stdout) == json.loads(msgspec.json.encode(manifest))
    assert manifest.events == 2_040
    assert sorted(to.paths()) == sorted([NAME, *(file.path for file in manifest.files)])
    again = installation.command("events", "export", "--out", out, "--json")
    assert json.loads(again.stdout) == json.loads(done.stdout)
    checked = installation.command("events", "check", "--against", out)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith(f"2,040 events read; {len(manifest.files)} files of the export compared\n")
