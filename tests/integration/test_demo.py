"""The demo community: made of a seed, complete or not there, and what is printed about it works when pasted."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from command_api.deciding import Context, Refused
from command_api.domain.post_tweet import PostTweet
from events.ids import AccountId, Millis
from runtime.command_answers import WhetherNew
from runtime.embedded.demo.cast import PEOPLE
from runtime.embedded.demo.community import Community
from runtime.embedded.demo.filling import WITH_AVATAR
from tests.integration.in_process import NOW, opened
from tests.integration.running import ROOT, Serving, answered


def test_the_same_seed_and_time_make_the_same_community() -> None:
    assert Community(NOW, 1, 30, 100).commands() == Community(NOW, 1, 30, 100).commands()
    assert Community(NOW, 1, 30, 100).commands() != Community(NOW, 2, 30, 100).commands()


def time_of(context: Context) -> Millis:
    assert context.time is not None
    return context.time


def test_nothing_happens_in_the_future_or_before_those_who_do_it_are_there() -> None:
    community = Community(NOW)
    commands = community.commands()
    times = [time_of(context) for _, _, context in commands]
    assert times == sorted(times)
    assert times[-1] <= NOW
    assert max(Counter(times).values()) < 10  # nothing heaps up at one moment, as at the last one
    since: dict[AccountId, Millis] = {}
    for _, command, context in commands:
        actor = getattr(command, "actor", None)
        if actor is None:
            since[command.account] = time_of(context)
        else:
            assert since[actor] < time_of(context)


def test_the_tutorial_counts_what_the_demo_makes() -> None:
    page = (ROOT / "docs/tutorial/from-nothing-to-a-trend.md").read_text()
    counted = dict(re.findall(r"^\w+ +(\w+) +([\d,]+)$", page, re.MULTILINE))
    assert counted["ProfileChanged"] == str(PEOPLE + WITH_AVATAR)
    assert counted["MediaFinished"] == str(WITH_AVATAR)


def test_one_tag_is_everybodys_today() -> None:
    posts = [(c, time_of(x)) for _, c, x in Community(NOW).commands() if isinstance(c, PostTweet)]
    today: Counter[tuple[str, AccountId]] = Counter()
    for post, time in posts:
        if NOW - time < 6 * 3_600_000:
            today.update({(tag.tag, post.actor) for tag in post.entities.hashtags})
    authors = Counter(tag for tag, _ in today)
    (first, most), (_, next_most) = authors.most_common(2)
    assert first == "NorthernLights"
    assert most > 2 * next_most
    assert 3500 < len(posts) < 4500


async def test_every_command_of_the_demo_is_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path, partitions=1) as (system, _):
        outcomes = await system.commands.execute_some(Community(NOW).commands(), WhetherNew(), lambda: True)
        assert [outcome for outcome in outcomes if isinstance(outcome, Refused)] == []


@pytest.mark.slow
def test_what_is_printed_works_when_pasted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data, "--quiet-demo") as server:
        setting, feed, search, trends = _hints(server.said)  # and no stream, which nothing would move
        items = [_pasted(setting, command)["items"] for command in (feed, search, trends)]
        assert len(items[0]) == 3
        assert "northern lights" in items[1][0]["text"].lower()
        assert items[2][0]["tag"] == "NorthernLights"
        [password] = re.findall(r"password (\S+)", server.said)
        for name in ("ada", "ben"):
            server.sign_in(name, password)
            avatar = server.get(f"/users/{name}")["avatar_url"]
            assert server.http.get(avatar, follow_redirects=True).content.startswith(b"\x89PNG")
        assert server.http.get("/docs").status_code == 200
        counted = answered("events", "count", "--data", data)
    assert answered("verify", "--data", data)["same"]
    with Serving(data, "--quiet-demo") as server:
        assert "password" in server.said
        again = answered("events", "count", "--data", data)
        assert again["tweets"] == counted["tweets"]


def _hints(said: str) -> list[str]:
    """The blocks of commands that are printed to be pasted."""
    return re.findall(r"^  ((?:API|curl).*?[^\\])$(?=\n\n)", said, re.MULTILINE | re.DOTALL)


def _pasted(*commands: str) -> Any:
    return json.loads(subprocess.run(["bash", "-c", "\n".join(commands)], capture_output=True, check=True).stdout)


@pytest.mark.slow
def test_the_demo_goes_on_living_and_its_stream_moves(tmp_path: Path) -> None:
    with Serving(tmp_path / "data", "--demo") as server:
        setting, _, stream, _, _ = _hints(server.said)
        listening = ["bash", "-c", f"{setting}\nexec {stream}"]
        with subprocess.Popen(listening, stdout=subprocess.PIPE) as listener:
            until = threading.Timer(60, listener.kill)
            until.start()
            # Whoever ada follows does most of what is done, and it is done every few seconds.
            assert listener.stdout is not None
            assert any(line.startswith(b"event: tweet") for line in listener.stdout)
            until.cancel()
            listener.kill()
        assert server.stop() == 0


@pytest.mark.slow
def test_a_directory_with_something_in_it_gets_no_demo(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        server.join("alice")
    with Serving(data, "--demo") as server:
        assert "password" not in server.said
        assert f"{data} has a community of its own, so no demo was made in it" in server.said
        assert answered("events", "count", "--data", data)["accounts"] == {"AccountRegistered": 1}
