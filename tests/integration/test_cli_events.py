"""`minitwitter events`: which events are printed, under which position, and what is refused."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from command_api.deciding import Context, Decision
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.import_tweet import IMPORT_TWEET, ImportTweet
from command_api.text.entities import extract
from events.ids import AccountId, Millis, id_at
from events.sqlite.records import base
from runtime.command_answers import WhetherNew
from runtime.embedded.log_inspection import count
from runtime.settings import Settings
from tests.integration.in_process import NOW, opened
from tests.integration.running import ROOT, environment
from tests.integration.typed import Typing

Tail = Callable[..., list[str]]

ANN = AccountId(id_at(NOW, "ann"))
TEXTS = ("one", "two", "three", "four", "five", "six", "seven")


async def written(directory: Path) -> None:
    """One partition a topic, as `serve` makes them: an account, and seven tweets of it."""
    async with opened(directory, partitions=1) as (system, _):
        context = Context(actor=ANN)
        commands: list[tuple[Decision[Any, Any], Any, Context]] = [
            (IMPORT_ACCOUNT, ImportAccount(ANN, "ann", "Ann"), context)
        ]
        for number, text in enumerate(TEXTS):
            tweet = ImportTweet(ANN, str(number), Millis(NOW - 1000 + number), text, extract(text))
            commands.append((IMPORT_TWEET, tweet, context))
        await system.commands.execute_some(commands, WhetherNew(), lambda: True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("log") / "data"
    asyncio.run(written(directory))
    return directory


@pytest.fixture
def tail(data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Tail:
    """`minitwitter events tail` with some options: the positions that it prints."""
    typed = Typing(monkeypatch, capfd)

    def tail(*options: str) -> list[str]:
        ended = typed("events", "tail", *options, "--data", data)
        assert ended.code == 0, ended.err
        return [json.loads(line)["position"] for line in ended.out.splitlines()]

    return tail


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typing:
    return Typing(monkeypatch, capfd)


def tweets(*offsets: int) -> list[str]:
    return [f"tweets-0@{offset}" for offset in offsets]


def test_without_options_all_events_are_printed(tail: Tail) -> None:
    assert tail() == ["accounts-0@0", *tweets(0, 1, 2, 3, 4, 5, 6)]


def test_lines_prints_the_last_events(tail: Tail) -> None:
    assert tail("-n", "5") == tweets(2, 3, 4, 5, 6)
    assert tail("--lines", "0") == []
    assert tail("-n", "8") == tail("-n", "1000000000") == tail()
    assert tail("-n", "1", "--topic", "accounts") == ["accounts-0@0"]


def test_lines_after_a_position_are_the_last_of_those(tail: Tail) -> None:
    assert tail("-n", "2", "--topic", "tweets", "--from", "tweets-0@3") == tweets(5, 6)
    assert tail("-n", "5", "--topic", "tweets", "--from", "tweets-0@5") == tweets(5, 6)


def test_limit_stops_after_the_first(tail: Tail) -> None:
    assert tail("--limit", "2") == ["accounts-0@0", "tweets-0@0"]
    assert tail("--limit", "2", "-n", "5") == tweets(2, 3)


def test_from_begins_with_the_event_and_after_with_the_next(tail: Tail) -> None:
    assert tail("--from", "tweets-0@5", "--topic", "tweets") == tweets(5, 6)
    assert tail("--after", "tweets-0@5", "--topic", "tweets") == tweets(6)
    assert tail("--after", "tweets-0@6", "--topic", "tweets") == []
    assert tail("--from", "tweets-0@6,accounts-0@1") == tweets(6)


def test_positions_of_a_consistency_token_are_taken_as_well(tail: Tail) -> None:
    assert tail("--from", "accounts-0:1,tweets-0:6") == tweets(6)


@pytest.mark.parametrize("offset", range(7))
def test_the_position_that_is_printed_is_the_one_that_show_takes(typed: Typing, data: Path, offset: int) -> None:
    (line,) = typed(
        "events", "tail", "--topic", "tweets", "--from", f"tweets-0@{offset}", "--limit", 1, "--data", data
    ).out.splitlines()
    shown = typed("events", "show", json.loads(line)["position"], "--data", data)
    assert json.loads(shown.out) == json.loads(line)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--from", "tweets-0@8"), "tweets-0@8 is beyond the end of tweets-0: its newest event is tweets-0@6"),
        (("--after", "tweets-0@7"), "tweets-0@8 is beyond the end"),
        (("--from", "graph-0@1"), "graph-0@1 is beyond the end of graph-0: it is empty"),
        (("--from", "tweets-0@9999999999999"), "beyond the end"),
        (("--follow", "--from", "tweets-0@8"), "beyond the end"),
        (("--from", "tweet-0@0"), "there is no topic tweet; there are accounts"),
        (("--from", "tweets-1@0"), "there is no partition tweets-1; there are tweets-0"),
        (("--from", "tweets-0"), "--from: 'tweets-0' is no position; it looks like tweets-0@15"),
        (("--from", "tweets-0@-1"), "is no position"),
        (("--from", ""), "is no position"),
        (("--from", "tweets-0@1", "--after", "tweets-0@1"), "say either --from or --after"),
        (("--topic", "tweet"), "there is no topic tweet"),
        (("--lines", "-1"), "--lines: "),
        (("--limit", "0"), "--limit: "),
    ],
)
def test_what_there_is_not_is_refused(typed: Typing, data: Path, options: tuple[str, ...], reason: str) -> None:
    ended = typed("events", "tail", *options, "--data", data)
    assert ended.code == 2
    assert ended.out == ""
    first, hint = ended.err.splitlines()
    assert first.startswith("minitwitter: ")
    assert reason in first
    assert hint == "Try: minitwitter events tail --help"


@pytest.mark.parametrize(
    ("place", "code", "reason"),
    [
        ("tweets-0@7", 1, "there is no event tweets-0@7"),
        (ANN, 1, f"there is no event {ANN}"),
        ("tweets-1@0", 2, "there is no partition tweets-1"),
        ("tweet-0@0", 2, "there is no topic tweet"),
        ("tweets-0@1,tweets-0@2,accounts-0@0", 2, "is neither an event's id nor one position"),
        ("nonsense", 2, "is no position"),
    ],
)
def test_an_event_that_there_is_not_is_not_shown(typed: Typing, data: Path, place: str, code: int, reason: str) -> None:
    ended = typed("events", "show", place, "--data", data)
    assert (ended.code, ended.out) == (code, "")
    assert reason in ended.err


def test_counting_needs_no_master_key(typed: Typing, tmp_path: Path) -> None:
    asyncio.run(written(tmp_path / "data"))
    (tmp_path / "data" / "master.key").unlink()
    ended = typed("events", "count", "--json", "--data", tmp_path / "data")
    assert json.loads(ended.out) == {"accounts": {"AccountRegistered": 1}, "tweets": {"TweetPosted": 7}}
    assert typed("events", "tail", "--data", tmp_path / "data").code == 4


@pytest.mark.parametrize("streams", [(1,), (2,), (0, 1, 2)])
def test_closed_streams_break_nothing(data: Path, streams: tuple[int, ...]) -> None:
    closed = "; ".join(f"os.close({number})" for number in streams)
    code = f"import os; {closed}; os.execv({sys.executable!r}, [{sys.executable!r}, '-m', 'runtime.cli', 'events', "
    code += f"'tail', '--data', {str(data)!r}])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_that_has_seen_enough_ends_it(data: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "runtime.cli", "events", "tail", "--data", str(data)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment(), cwd=ROOT, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_is_one_line(data: Path) -> None:
    command = [sys.executable, "-m", "runtime.cli", "events", "tail", "--data", str(data)]
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment(), cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (5, b"minitwitter: No space left on device\n")


async def test_records_whose_type_is_no_utf_8_are_counted(tmp_path: Path) -> None:
    await written(tmp_path)
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("UPDATE records SET type=CAST(x'ff41' AS TEXT) WHERE position=?", (base(("tweets", 0)),))
    connection.close()
    counted = count(Settings(data=tmp_path), None)
    tweets = {("tweets", "\N{REPLACEMENT CHARACTER}A"): 1, ("tweets", "TweetPosted"): 6}
    assert counted == {("accounts", "AccountRegistered"): 1} | tweets
