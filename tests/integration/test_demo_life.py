"""The life of the demo community: drawn from a seed, by its own people only, on any day."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from command_api.deciding import Context
from command_api.domain.delete_tweet import DELETE_TWEET, DeleteTweet
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from events.ids import AccountId, Millis, TweetId, id_at
from events.tweets import TweetPosted
from runtime.command_answers import WhetherNew
from runtime.embedded.demo.cast import SIGNED_IN, is_of_demo, the_cast
from runtime.embedded.demo.community import Community
from runtime.embedded.demo.filling import accounts_of, catch_up
from runtime.embedded.demo.living import Life, Living, Posted, live
from runtime.embedded.demo.pictures import AVATAR, SKY, avatar, sky
from runtime.embedded.system import System
from tests.integration.in_process import NOW, opened

CAST = the_cast()
NAMES = [person.username for person in CAST.people]
TWEETS = [TweetId(id_at(NOW, "tweet", str(n))) for n in range(20)]
LATELY = [Posted(tweet, n) for n, tweet in enumerate(TWEETS)]
DAY_MS = 86_400_000


class Enough(Exception):
    """The test has seen enough of a life that does not end."""


async def community(system: System) -> None:
    await system.commands.execute_some(Community(NOW).commands(), WhetherNew(), lambda: True)


def test_the_same_seed_makes_the_same_acts() -> None:
    one, other, another = Life(CAST, 1), Life(CAST, 1), Life(CAST, 2)
    acts = [one.next(LATELY) for _ in range(100)]
    assert acts == [other.next(LATELY) for _ in range(100)]
    assert acts != [another.next(LATELY) for _ in range(100)]


def test_people_post_reply_like_and_retweet_and_nobody_who_can_be_signed_in_to_does() -> None:
    life = Life(CAST)
    acts = [life.next(LATELY) for _ in range(1000)]
    kinds = Counter(act.kind for act in acts)
    assert kinds["post"] > kinds["like"] > kinds["retweet"] > 50
    assert min(act.actor for act in acts) >= len(SIGNED_IN)
    assert all(act.to.author != act.actor for act in acts if act.to)
    assert 5 < sum(bool(act.picture) for act in acts) < 150
    assert all(1 <= life.pause() <= 4 for _ in range(100))


def test_the_feeds_of_both_who_can_be_signed_in_to_move_all_the_time() -> None:
    life = Life(CAST)
    acts = [life.next(LATELY) for _ in range(1000)]
    for reader in range(len(SIGNED_IN)):
        seen = [n for n, act in enumerate(acts) if act.actor in CAST.followed[reader] and act.kind != "like"]
        assert len(seen) > 350
        assert max(after - before for before, after in pairwise(seen)) < 25


def test_in_an_empty_place_people_begin_with_posts() -> None:
    life = Life(CAST)
    assert {life.next([]).kind for _ in range(100)} == {"post"}


async def test_acts_are_decided_like_any_command(tmp_path: Path) -> None:
    async with opened(tmp_path, partitions=1) as (system, views):
        await community(system)
        accounts = await accounts_of(system, NAMES)
        people = dict(enumerate(accounts.values()))
        living = Living(system, system.media.objects, Life(CAST), people)
        before = await system.log.ends()
        acts = [await living.act() for _ in range(60)]
        done = await system.log.read(before, 1000)
        assert len(done) > 50  # one who liked a tweet already does nothing
        assert {act.kind for act in acts} == {"post", "reply", "like", "retweet"}
        assert {record.about.actor for record in done} <= {*people.values()}
        assert {record.about.causation for record in done} == {"demo"}
        pictures = [record.event for record in done if isinstance(record.event, TweetPosted) and record.event.media]
        for post in pictures:
            key = f"finished/{post.media[0].media}.jpg"
            assert await system.media.objects.read(key, 1 << 20)
        await views.project()


async def test_a_deleted_tweet_is_left_alone(tmp_path: Path) -> None:
    async with opened(tmp_path, partitions=1) as (system, _):
        await community(system)
        accounts = list((await accounts_of(system, NAMES)).values())
        living = Living(system, system.media.objects, Life(CAST), dict(enumerate(accounts)))
        await living.act()
        for posted in [*living._lately]:
            author = accounts[posted.author]
            await system.commands.execute(
                DELETE_TWEET, DeleteTweet(author, posted.tweet), Context(actor=author), WhetherNew()
            )
        assert (await living.act()).kind == "post"


async def test_in_a_directory_that_is_not_the_demos_nobody_does_anything(tmp_path: Path) -> None:
    """Not even where there are accounts of all those names."""
    async with opened(tmp_path, partitions=1) as (system, _):
        commands = [
            (IMPORT_ACCOUNT, ImportAccount(AccountId(id_at(NOW, "import", name)), name, name), Context())
            for name in NAMES
        ]
        await system.commands.execute_some(commands, WhetherNew(), lambda: True)
        ends = await system.log.ends()
        assert await accounts_of(system, NAMES) == {}
        await live(system, CAST)
        assert await catch_up(system, NAMES) == 0
        assert await system.log.ends() == ends


async def test_life_goes_on_until_it_is_stopped(tmp_path: Path) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 5:
            raise Enough

    async with opened(tmp_path, partitions=1) as (system, _):
        await community(system)
        with pytest.raises(Enough):
            await live(system, CAST, sleep)
        assert all(1 <= seconds <= 4 for seconds in slept)


@pytest.mark.parametrize(("days", "least", "most"), [(0.005, 0, 0), (400, 500, 9000)])
async def test_on_any_day_something_happened_lately(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float | int, least: int, most: int
) -> None:
    async with opened(tmp_path, partitions=1) as (system, _):
        await community(system)
        later = Millis(int(NOW + days * DAY_MS))
        monkeypatch.setattr(system, "clock", lambda: later)
        ends = await system.log.ends()
        assert least <= await catch_up(system, NAMES) <= most
        posted = [r.about.time for r in await system.log.read(ends, 100_000) if isinstance(r.event, TweetPosted)]
        assert all(max(NOW, later - DAY_MS) <= time <= later for time in posted)
        assert bool(posted) == (least > 0)
        assert await catch_up(system, NAMES) == 0


def test_an_account_is_the_demos_if_its_id_says_so() -> None:
    community = Community(NOW)
    assert all(is_of_demo(account, name) for name, account in community.busiest(20).items())
    assert not is_of_demo(AccountId(id_at(NOW, "import", "ada")), "ada")


def test_pictures_are_drawn_alike_each_time_and_small() -> None:
    assert avatar("ada") == avatar("ada") != avatar("ben")
    assert sky("1") == sky("1") != sky("2")
    assert Image.open(BytesIO(avatar("ada"))).size == (AVATAR, AVATAR)
    assert Image.open(BytesIO(sky("1"))).size == SKY
    assert len(avatar("ada")) < 1000
    assert len(sky("1")) < 40_000
