"""Importing tweets and a graph: good rows, bad rows, rows that come again, and an import that is cut short."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from command_api.deciding import Context
from command_api.domain.delete_tweet import DELETE_TWEET, DeleteTweet
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.unfollow_account import UNFOLLOW_ACCOUNT, UnfollowAccount
from events.accounts import AccountRegistered
from events.event import Envelope
from events.graph import AccountFollowed
from events.ids import AccountId, Millis, id_at, millis
from events.tweets import Place, TweetPosted
from rest.times import parse_rfc3339
from runtime.command_answers import WhetherNew
from runtime.embedded import engine
from runtime.embedded.control import AwaitCurrent, Failed, Lagging
from runtime.embedded.imported_history import LogDbHistory
from runtime.embedded.system import System
from runtime.importing.batches import Summary
from runtime.importing.files import ImportFile
from runtime.importing.graph import NothingToLayItOver, import_graph
from runtime.importing.history import KnownAccount
from runtime.importing.import_tweets import import_tweets
from runtime.importing.importer import Importer
from runtime.importing.messages import Import, Imported, NewAccount
from runtime.settings import Settings
from tests.campaigns import form
from tests.integration.in_process import NOW, opened
from tests.integration.running import ROOT, Serving, answered, environment, minitwitter
from tests.records import E

DATA = ROOT.parent / "shared" / "data"
real = pytest.mark.skipif(not DATA.exists(), reason="the real tweets and graph are not in ../shared/data")

HEADER = "tweet_id,created_at,username,text,lat,lon,location\n"
GOOD = HEADER + (
    "1,2015-02-17T07:36:05Z,Anna,hello @berta #Day,,,\n"
    '2,2015-02-17T08:00:00Z,Berta,"fish &amp; chips\nand two lines",52.5,13.4,Berlin\n'
    "3,2015-02-18T09:00:00+01:00,anna,later,,,\n"
    "1,2015-02-17T07:36:05Z,Anna,the same again,,,\n"
)


async def imported(system: System, path: Path, now: Millis = NOW) -> Summary:
    importer = Importer(system.commands, lambda: 0, lambda: 0.0)

    async def ask(batch: Import) -> AsyncIterator[Imported]:
        yield await importer.execute(batch)

    history = LogDbHistory(system.directory, None)
    return await import_tweets(ask, ImportFile(path, str(path)), history, now, lambda total: None, lambda done: None)


async def laid_over(system: System, path: Path) -> Summary:
    importer = Importer(system.commands, lambda: 0, lambda: 0.0)

    async def ask(batch: Import) -> AsyncIterator[Imported]:
        yield await importer.execute(batch)

    ranking = await LogDbHistory(system.directory, None).rank()
    return await import_graph(ask, ImportFile(path, str(path)), ranking, lambda total: None, lambda done: None)


async def events(system: System, kind: type[E]) -> list[tuple[E, Envelope]]:
    records = await system.log.read({}, 100_000)
    return [(record.event, record.about) for record in records if isinstance(record.event, kind)]


def written(tmp_path: Path, text: str, name: str = "file.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


async def test_a_tweet_happened_when_the_file_says_and_is_recorded_now(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        await imported(system, written(tmp_path, GOOD))
        (first, about), (second, _), (third, later) = sorted(
            await events(system, TweetPosted), key=lambda e: e[0].tweet
        )
        assert about.time == millis(first.tweet) == parse_rfc3339("2015-02-17T07:36:05Z")
        assert millis(about.id) == NOW
        assert later.time == parse_rfc3339("2015-02-18T08:00:00Z")
        assert first.imported
        assert first.text == "hello @berta #Day"
        assert second.text == "fish & chips\nand two lines"
        assert second.location == Place(lat=52.5, lon=13.4, name="Berlin")
        assert third.author == first.author


async def test_an_account_begins_just_before_its_first_tweet_and_cannot_be_signed_in_to(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        await imported(system, written(tmp_path, GOOD))
        accounts = {event.username: (event, about) for event, about in await events(system, AccountRegistered)}
        assert sorted(accounts) == ["Anna", "Berta"]
        event, about = accounts["Anna"]
        assert about.time == millis(event.account) == parse_rfc3339("2015-02-17T07:36:05Z") - 1
        assert (event.imported, event.email) == (True, None)


async def test_a_mention_means_the_account_of_that_name_wherever_in_the_file_it_begins(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        await imported(system, written(tmp_path, GOOD))
        ids = {event.username: event.account for event, _ in await events(system, AccountRegistered)}
        mentions = [m.account for event, _ in await events(system, TweetPosted) for m in event.entities.mentions]
        assert mentions == [ids["Berta"]]


async def test_importing_twice_adds_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        path = written(tmp_path, GOOD)
        first = await imported(system, path)
        ends = await system.log.ends()
        second = await imported(system, path)
        assert (first.new, first.there, first.duplicates) == (3, 0, 1)
        assert (second.new, second.there, second.duplicates) == (0, 3, 1)
        assert await system.log.ends() == ends


async def test_a_tweet_that_was_deleted_since_stays_deleted(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        path = written(tmp_path, GOOD)
        await imported(system, path)
        (tweet, _), *_ = await events(system, TweetPosted)
        delete = DeleteTweet(tweet.author, tweet.tweet)
        await system.commands.execute(DELETE_TWEET, delete, Context(actor=tweet.author), WhetherNew())
        ends = await system.log.ends()
        await imported(system, path)
        assert await system.log.ends() == ends


async def test_a_second_file_goes_on_with_the_accounts_of_the_first(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        await imported(system, written(tmp_path, GOOD))
        earlier = written(tmp_path, HEADER + "9,2014-01-01T00:00:00Z,ANNA,long before,,,\n", "second.csv")
        assert (await imported(system, earlier)).new == 1
        assert len(await events(system, AccountRegistered)) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_an_account_begins_before_its_oldest_tweet_whatever_the_order_of_the_files(
    tmp_path: Path, order: tuple[int, int, int]
) -> None:
    days = ("2013-05-01T00:00:00Z", "2014-01-01T00:00:00Z", "2015-02-17T07:36:05Z")
    async with opened(tmp_path / "data") as (system, views):
        for n in (*order, order[0]):
            file = written(tmp_path, f"{HEADER}{n},{days[n]},Anna,hi,,,\n", f"{n}.csv")
            await imported(system, file)
            await views.project()
        user = await system.readers.users.named("anna")
        assert user is not None
        assert user.created_at == parse_rfc3339(days[0]) - 1


async def test_nothing_is_put_into_the_mouth_of_an_account_that_was_not_imported(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        path = written(tmp_path, GOOD)
        # Somebody registered the name after the file was looked at, and somebody before.
        other = ImportAccount(AccountId(id_at(Millis(1), "other")), "berta", "Berta")
        await system.commands.execute(IMPORT_ACCOUNT, other, Context(), WhetherNew())
        importer = Importer(system.commands, lambda: 0, lambda: 0.0)

        async def ask(batch: Import) -> AsyncIterator[Imported]:
            yield await importer.execute(batch)

        class Before(LogDbHistory):
            async def known_accounts(self) -> dict[str, KnownAccount]:
                return {}

        history = Before(system.directory, None)
        summary = await import_tweets(
            ask, ImportFile(path, str(path)), history, NOW, lambda total: None, lambda done: None
        )
        assert summary.refused == [(3, "its author has no imported account here")]
        assert summary.new == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x1,2015-02-17T07:36:05Z,Anna,hi,,,", "tweet_id 'x1' is not a number"),
        ("5,yesterday,Anna,hi,,,", "created_at: 'yesterday' is not a time"),
        ("5,2015-02-17T07:36:05,Anna,hi,,,", "has no offset"),
        ("5,1900-01-01T00:00:00Z,Anna,hi,,,", "is before 1970"),
        ("5,2090-01-01T00:00:00Z,Anna,hi,,,", "is in the future"),
        ("5,2015-02-17T07:36:05Z,Late Flight,hi,,,", "username 'Late Flight': a user name has 3 to 30 characters"),
        ("5,2015-02-17T07:36:05Z,Anna,,,,", "text: the text is empty"),
        (f"5,2015-02-17T07:36:05Z,Anna,{'x' * 281},,,", "text: the text weighs 281, over the limit of 280"),
        ("5,2015-02-17T07:36:05Z,Anna,a\u202eb,,,", "text: the character U+202E"),
        ("5,2015-02-17T07:36:05Z", "the row has too few or too many columns"),
        ("5,2015-02-17T07:36:05Z,Anna,hi,,,,,", "the row has too few or too many columns"),
    ],
)
async def test_a_bad_row_is_named_and_the_rest_is_imported(tmp_path: Path, row: str, reason: str) -> None:
    async with opened(tmp_path / "data") as (system, _):
        summary = await imported(system, written(tmp_path, GOOD + row + "\n7,2015-02-17T10:00:00Z,Berta,after,,,\n"))
        ((line, said),) = summary.refused
        assert line == 7  # a row of two lines stands before it
        assert reason in said
        assert summary.new == 4


async def test_a_place_that_is_none_does_not_cost_the_tweet(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        rows = "1,2015-02-17T07:36:05Z,Anna,hi,north,13.4,\n2,2015-02-17T07:36:05Z,Anna,hi,95,13.4,\u202eBerlin\n"
        summary = await imported(system, written(tmp_path, HEADER + rows))
        assert (summary.new, summary.refused) == (2, [])
        assert [event.location for event, _ in await events(system, TweetPosted)] == [None, None]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("9,2099-01-01T00:00:00Z,Carla,hi,,,", "is in the future"),
        (f"9,2015-02-17T07:36:05Z,Carla,{'x' * 281},,,", "over the limit"),
        ("9,1970-01-01T00:00:00Z,Carla,hi,,,", "is before 1970-01-02"),
        ("9,1970-01-01T23:59:59.999Z,Carla,hi,,,", "is before 1970-01-02"),
        ("2,2015-02-17T08:00:00Z,Carla,mine,,,", "tweet_id 2 is there already, as a tweet of another account"),
    ],
)
async def test_nothing_is_made_of_a_row_that_is_refused(tmp_path: Path, row: str, reason: str) -> None:
    async with opened(tmp_path / "data") as (system, _):
        await imported(system, written(tmp_path, GOOD))
        ends = await system.log.ends()
        summary = await imported(system, written(tmp_path, HEADER + row + "\n", "second.csv"))
        ((line, said),) = summary.refused
        assert line == 2
        assert reason in said
        assert await system.log.ends() == ends


async def test_the_first_day_that_can_be_imported_has_room_for_an_account_and_for_follows_before_it(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / "data") as (system, views):
        rows = "".join(f"{n},1970-01-02T00:00:00Z,{name},hi,,,\n" for n, name in enumerate(("one", "two")))
        assert (await imported(system, written(tmp_path, HEADER + rows))).new == 2
        assert (await laid_over(system, written(tmp_path, "1 2\n", "graph.txt"))).new == 2
        assert [about.time for _, about in await events(system, AccountFollowed)] == [0, 1]
        await views.project()


async def test_a_tweet_that_another_file_dates_otherwise_is_there_once_and_the_difference_is_named(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / "data") as (system, _):
        await imported(system, written(tmp_path, GOOD))
        ends = await system.log.ends()
        rows = (
            "1,2016-01-01T00:00:00Z,Anna,hello @berta #Day,,,\n"
            "2,2015-02-17T08:00:00Z,Berta,other words,,,\n"
            "3,2015-02-18T08:00:00Z,anna,later,,,\n"
        )
        summary = await imported(system, written(tmp_path, HEADER + rows, "second.csv"))
        assert (summary.new, summary.there, summary.refused) == (0, 3, [])
        assert summary.differing == [
            (2, "tweet_id 1 is there already, and stays, of 2015-02-17T07:36:05.000Z"),
            (3, "tweet_id 2 is there already, and stays, with another text"),
        ]
        assert await system.log.ends() == ends


async def test_a_graph_over_accounts_without_tweets_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        with pytest.raises(NothingToLayItOver, match="no tweet was imported"):
            await laid_over(system, written(tmp_path, "1 2\n", "graph.txt"))


async def test_friendships_become_follows_both_ways_before_the_first_tweet(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        rows = "".join(
            f"{n},2015-02-17T07:36:0{n}Z,{name},hi,,,\n" for n, name in enumerate(("one", "two", "two", "three"))
        )
        await imported(system, written(tmp_path, HEADER + rows))
        graph = written(tmp_path, "# a comment\n7 8\n8 9\n9 8\n\n8 8\n8 x\n", "graph.txt")
        summary = await laid_over(system, graph)
        assert (summary.rows, summary.new, summary.duplicates) == (5, 4, 1)
        assert summary.refused == [(6, "8 is no friend of itself"), (7, "'8 x' is not two numbers")]
        ids = {event.account: event.username for event, _ in await events(system, AccountRegistered)}
        follows = await events(system, AccountFollowed)
        # 8 has most friends, as "two" has most tweets; then 7 before 9, as "one" before "three".
        assert {(ids[e.follower], ids[e.followee]) for e, _ in follows} == {
            ("two", "one"), ("one", "two"), ("two", "three"), ("three", "two")
        }  # fmt: skip
        assert all(about.time < parse_rfc3339("2015-02-17T07:36:00Z") for _, about in follows)


async def test_importing_a_graph_again_adds_nothing_and_brings_no_follow_back(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        rows = "".join(f"{n},2015-02-17T07:36:0{n}Z,{name},hi,,,\n" for n, name in enumerate(("one", "two", "three")))
        await imported(system, written(tmp_path, HEADER + rows))
        graph = written(tmp_path, "1 2\n2 3\n", "graph.txt")
        await laid_over(system, graph)
        (follow, _), *_ = await events(system, AccountFollowed)
        unfollow = UnfollowAccount(follow.follower, follow.followee)
        await system.commands.execute(UNFOLLOW_ACCOUNT, unfollow, Context(actor=follow.follower), WhetherNew())
        ends = await system.log.ends()
        summary = await laid_over(system, graph)
        assert (summary.new, summary.there) == (0, 4)
        assert await system.log.ends() == ends


async def test_a_graph_of_more_people_than_accounts_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (system, _):
        await imported(system, written(tmp_path, GOOD))
        with pytest.raises(NothingToLayItOver, match="3 people and 2 accounts"):
            await laid_over(system, written(tmp_path, "1 2\n2 3\n", "graph.txt"))
        assert not await events(system, AccountFollowed)


@pytest.mark.slow
def test_an_import_beside_a_server_can_be_read_from_it(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as server:
        summary = answered("import", "tweets", written(tmp_path, GOOD), "--data", tmp_path / "data")
        assert (summary["new"], summary["duplicates"], summary["refused"]) == (3, 1, [])
        assert [t["tweet"]["text"] for t in server.get("/users/anna/tweets")["items"]] == ["later", "hello @berta #Day"]
        claimed = minitwitter(
            "accounts", "claim", "anna", "--password-stdin", "--data", tmp_path / "data", stdin="secret words 1\n"
        )
        assert claimed.returncode == 0, claimed.stderr
        anna = server.sign_in("anna", "secret words 1")
        anna.post("now, from this century")
        texts = [item["tweet"]["text"] for item in anna.get("/feed")["items"]]
        assert texts == ["now, from this century", "later", "hello @berta #Day"]


@pytest.mark.slow
@pytest.mark.real_data
@real
def test_an_import_that_is_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = DATA / "airline-tweets.csv"
    command = [sys.executable, "-m", "runtime.cli", "import", "tweets", file, "--data", tmp_path / "data"]
    cut = subprocess.Popen(list(map(str, command)), env=environment(), cwd=ROOT, stderr=subprocess.DEVNULL)
    log = tmp_path / "data" / "log.db-wal"
    while not log.exists() or log.stat().st_size < 4 << 20:
        assert cut.poll() is None
    cut.send_signal(signal.SIGKILL)
    cut.wait()
    counted = answered("events", "count", "--data", tmp_path / "data")
    assert counted["accounts"]["AccountRegistered"] > 0
    assert counted.get("tweets", {}).get("TweetPosted", 0) < 13_918
    summary = answered("import", "tweets", file, "--data", tmp_path / "data")
    assert summary["new"] + summary["there"] == 13_918
    counted = answered("events", "count", "--data", tmp_path / "data")
    assert counted == {"accounts": {"AccountRegistered": 7494}, "tweets": {"TweetPosted": 13_918}}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.real_data
@real
def test_the_real_tweets_and_the_real_graph_answer_from_the_api(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        tweets = answered("import", "tweets", DATA / "airline-tweets.csv", "--data", data)
        assert (tweets["rows"], tweets["new"], tweets["duplicates"], len(tweets["refused"])) == (14_077, 13_918, 151, 8)
        assert {"line": 12147, "reason": tweets["refused"][-1]["reason"]} == tweets["refused"][-1]
        assert "'2v'" in tweets["refused"][-1]["reason"]
        edges = (DATA / "facebook-edges.txt").read_text().splitlines()[: form(20_000, 88_234)]
        (tmp_path / "edges.txt").write_text("\n".join(edges) + "\n")
        graph = answered("import", "graph", tmp_path / "edges.txt", "--data", data)
        assert (graph["rows"], graph["new"]) == (len(edges), 2 * len(edges))
        trends = server.get("/trends?at=2015-02-20T23:59:00Z&window=24h")
        assert "DestinationDragons" in [item["tag"] for item in trends["items"]][:3]
        sentiment = server.get("/sentiment?mention=united&from=2015-02-17T00:00:00Z&to=2015-02-25T00:00:00Z&step=1d")
        assert sum(bucket["count"] for bucket in sentiment["items"]) > 3_500
        found = server.get("/search/tweets?q=%22destination+dragons%22&limit=100")
        assert found["items"]
        assert "&amp;" not in json.dumps(found)
    verified = answered("verify", "--data", data)
    assert verified["same"], [f for f in verified["findings"] if not f["same"]]


async def test_waiting_for_read_models_ends_where_they_stand_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LONGEST_STANDSTILL_S", 0.2)
    running = engine.Engine(Settings(data=tmp_path / "data", bcrypt_cost=4))
    try:
        account = NewAccount(AccountId(id_at(Millis(1), "one")), "one", "One", Millis(1))
        [imported] = [reply async for reply in running.handle(Import(accounts=(account,)))]
        assert isinstance(imported, Imported)
        assert imported.new == 1
        *lagging, last = [reply async for reply in running.handle(AwaitCurrent())]  # nobody projects here
        assert {type(reply) for reply in lagging} == {Lagging}
        assert isinstance(last, Failed)
        assert last.reason.startswith("the read models stand still, 1 event behind the log")
    finally:
        await running.stop()
