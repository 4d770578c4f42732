"""`minitwitter events replay`: printed, and handed to a function of the user's, which may fail and go on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.integration.installation import Installation
from tests.integration.running import minitwitter

pytestmark = pytest.mark.slow
HISTORY = "tweet_id,created_at,username,text\n" + "".join(
    f"{n},2015-02-17T07:36:{n:02}Z,user_{n % 3},tweet number {n}\n" for n in range(20)
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with an imported history."""
    directory = tmp_path_factory.mktemp("replay")
    (directory / "history.csv").write_text(HISTORY)
    done = minitwitter("import", "tweets", directory / "history.csv", "--data", directory / "data")
    assert done.returncode == 0, done.stderr
    return directory / "data"


def test_events_are_printed_as_cloud_events(data: Path) -> None:
    done = minitwitter("events", "replay", "--type", "TweetPosted", "--to", "2015-02-17T07:36:05Z", "--data", data)
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["time"] for event in events] == [f"2015-02-17T07:36:0{n}.000Z" for n in range(5)]
    assert "text" not in events[0]["data"]
    opened = minitwitter("events", "replay", "--type", "TweetPosted", "--unseal", "--data", data)
    assert json.loads(opened.stdout.splitlines()[-1])["data"]["text"] == "tweet number 19"


def test_a_function_gets_the_events_and_goes_on_where_it_failed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("LIMIT = 12\n")
    (tmp_path / "mine.py").write_text(
        "import asyncio, os\nfrom beside import LIMIT\n\nseen = []\n\n\n"
        "async def handle(event):\n"
        "    await asyncio.sleep(0)\n"
        "    seen.append(event['position'])\n"
        "    if len(seen) == LIMIT and not os.environ.get('GO_ON'):\n"
        "        raise ValueError('enough')\n"
        f"    with open({str(tmp_path / 'seen')!r}, 'a') as file:\n"
        "        print(event['position'], file=file)\n"
    )
    command = ("events", "replay", "--topic", "tweets", "--into", tmp_path / "mine.py", "--data", data)
    failed = minitwitter(*command)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    said = re.fullmatch(
        r"minitwitter: handle failed at tweets-0@11 \(TweetPosted\): ValueError: enough;"
        r" go on with --from (\S+)\n",
        failed.stderr,
    )
    assert said, failed.stderr
    (tmp_path / "beside.py").write_text("LIMIT = 100\n")
    rest = minitwitter(*command, "--from", said[1])
    assert (rest.returncode, rest.stderr) == (0, "")
    assert (tmp_path / "seen").read_text().splitlines() == [f"tweets-0@{n}" for n in range(20)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--speed", "fast"), "'fast' is no speed; it looks like 1x, 60x or max"),
        (("--speed", "0x"), "'0x' is no speed"),
        (("--type", "TweetPost"), "there is no event type TweetPost; there are AccountActive"),
        (("--into", "nothing.py"), "there is no file nothing.py; --into takes - or a Python file"),
        (("--into", "README.md"), "README.md is no Python file"),
        (("--into", "tests/records.py"), "tests/records.py has no function handle(event)"),
        (("--into", "{tmp}/broken.py"), "broken.py cannot be imported: NameError: name 'nowhere' is not defined"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_the_reason(
    data: Path, tmp_path: Path, options: tuple[str, str], said: str
) -> None:
    (tmp_path / "broken.py").write_text("nowhere\n")
    done = minitwitter("events", "replay", options[0], options[1].format(tmp=tmp_path), "--data", data)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.engines
def test_a_log_in_kafka_is_replayed(tmp_path: Path, kafka: str, postgres: str) -> None:
    installation = Installation(tmp_path, kafka, postgres).set_up()
    (tmp_path / "history.csv").write_text(HISTORY)
    assert installation.command("import", "tweets", str(tmp_path / "history.csv")).returncode == 0
    done = installation.command("events", "replay", "--topic", "tweets", "--speed", "1000x")
    assert (done.returncode, done.stderr) == (0, "")
    assert len({json.loads(line)["data"]["tweet"] for line in done.stdout.splitlines()}) == 20
