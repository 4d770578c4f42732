"""The activity of the demo community while the server runs: every few seconds somebody posts, replies, likes or
retweets.

Only accounts of the demo act, except the two that a person can sign in to. Their acts depend on a seed and on recent
tweets, and are executed like any other command. A day has 35,000 events.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import cycle
from random import Random
from typing import NamedTuple

from command_api.deciding import Context, Refused
from command_api.domain.add_media import ADD_MEDIA, AddMedia
from command_api.domain.like_tweet import LIKE_TWEET, LikeTweet
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.domain.retweet_tweet import RETWEET_TWEET, RetweetTweet
from command_api.facts import StoredFile
from command_api.text.validation import read_tweet
from events.ids import AccountId, ActivityId, MediaId, TweetId
from events.log import LogUnavailable, Positions, Record, positions_after
from events.tweets import TweetDeleted, TweetPosted
from runtime.command_answers import WhetherNew
from runtime.embedded.demo.cast import SEED, SIGNED_IN, Cast
from runtime.embedded.demo.community import Command
from runtime.embedded.demo.filling import accounts_of
from runtime.embedded.demo.pictures import SKY, sky
from runtime.embedded.system import System
from runtime.telemetry import logger
from stores.objects import Objects
from stores.sink import StoreUnavailable

PAUSES_S = (1.0, 4.0)
"""The shortest and the longest pause between two acts, in seconds."""
REMEMBERED = 60
"""The number of recent tweets that can be replied to, liked or retweeted."""
NEARBY = 0.9
"""The share of acts by people whom ada or ben follow, by turns, so that both feeds move every few seconds."""
TREND_SHARE = 0.15
WITH_PICTURE = 0.12
_AWAY_S = 30.0
_KINDS = {"post": 45, "reply": 20, "like": 25, "retweet": 10}


class Posted(NamedTuple):
    """A recent tweet of the community."""

    tweet: TweetId
    author: int


class Act(NamedTuple):
    """An act: its `kind`, the tweet that it is about (`to`), and the seed of its `picture`."""

    kind: str
    actor: int
    text: str = ""
    to: Posted | None = None
    picture: str = ""


class Life:
    """Chooses the next act. The same seed and the same recent tweets give the same acts."""

    def __init__(self, cast: Cast, seed: int = SEED) -> None:
        self._cast = cast
        self._random = Random(f"life {seed}")  # noqa: S311  # made-up people need no secrets
        near = [sorted(cast.followed[n] - {*range(len(SIGNED_IN))}) for n in range(len(SIGNED_IN))]
        self._near = cycle([followed for followed in near if followed])

    def pause(self) -> float:
        """Return the seconds until the next act."""
        return self._random.uniform(*PAUSES_S)

    def next(self, lately: Iterable[Posted]) -> Act:
        """Return the next act."""
        random = self._random
        actor = self._actor()
        (kind,) = random.choices([*_KINDS], [*_KINDS.values()])
        others = [posted for posted in lately if posted.author != actor]
        if kind == "post" or not others:
            of_trend = random.random() < TREND_SHARE
            picture = str(random.random()) if of_trend and random.random() < WITH_PICTURE / TREND_SHARE else ""
            return Act("post", actor, self._cast.says(random, actor, of_trend=of_trend), picture=picture)
        to = random.choices(others, [1 + place for place in range(len(others))])[0]  # newer tweets are likelier
        text = self._cast.answers(random, to.author) if kind == "reply" else ""
        return Act(kind, actor, text, to)

    def _actor(self) -> int:
        random = self._random
        if random.random() < NEARBY and (followed := next(self._near, None)):
            return random.choice(followed)
        return random.randrange(len(SIGNED_IN), len(self._cast.people))


class Living:
    """Executes the acts of `Life` on a system."""

    def __init__(self, system: System, objects: Objects, life: Life, accounts: Mapping[int, AccountId]) -> None:
        self._system = system
        self._objects = objects
        self._life = life
        self._accounts = accounts
        self._people = {account: person for person, account in accounts.items()}
        self._lately: deque[Posted] = deque(maxlen=REMEMBERED)
        self._seen: Positions | None = None

    async def act(self) -> Act:
        """Execute the next act; a refusal, because its tweet is deleted, is ignored. Raises LogUnavailable,
        StoreUnavailable.
        """
        await self._look()
        act = self._life.next(self._lately)
        for decision, command, context in await self._commands(act):
            try:
                await self._system.commands.execute(decision, command, context, WhetherNew())
            except Refused:
                break
        return act

    async def _look(self) -> None:
        """Read the tweets posted and deleted since the last call."""
        ends = await self._system.log.ends()
        if self._seen is None:
            self._seen = Positions({place: max(0, end - 2 * REMEMBERED) for place, end in ends.items()})
        while records := await self._system.log.read(self._seen, 500, ("tweets",)):
            self._seen = positions_after(records, self._seen)
            for record in records:
                self._take_in(record)

    def _take_in(self, record: Record) -> None:
        event = record.event
        if isinstance(event, TweetPosted) and event.author in self._people:
            self._lately.append(Posted(event.tweet, self._people[event.author]))
        elif isinstance(event, TweetDeleted):
            self._lately = deque((posted for posted in self._lately if posted.tweet != event.tweet), REMEMBERED)

    async def _commands(self, act: Act) -> list[Command]:
        account, ids = self._accounts[act.actor], self._system.ids
        context = Context(actor=account, causation="demo")
        if act.kind == "like" and act.to is not None:
            return [(LIKE_TWEET, LikeTweet(account, act.to.tweet), context)]
        if act.kind == "retweet" and act.to is not None:
            return [(RETWEET_TWEET, RetweetTweet(account, act.to.tweet, ActivityId(ids.issue())), context)]
        commands: list[Command] = []
        if act.picture:
            content, media = await asyncio.to_thread(sky, act.picture), MediaId(ids.issue())
            key = f"finished/{media}.jpg"
            await self._objects.write(key, "image/jpeg", content)
            stored = StoredFile("image/jpeg", key, len(content), *SKY)
            add = AddMedia(account, media, stored, "Northern lights over dark hills")
            commands.append((ADD_MEDIA, add, context))
        read = read_tweet(act.text)
        post = PostTweet(
            actor=account,
            tweet=TweetId(ids.issue()),
            text=read.text,
            entities=read.entities,
            reply_to=act.to.tweet if act.to is not None else None,
            media=tuple(command.media for _, command, _ in commands),
        )
        return [*commands, (POST_TWEET, post, context)]


async def live(system: System, cast: Cast, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Keep the community active until cancelled; do nothing if a part of it is missing."""
    log = logger("minitwitter.demo")
    usernames = [person.username for person in cast.people]
    found = await accounts_of(system, usernames)
    accounts = {person: found[name] for person, name in enumerate(usernames) if name in found}
    if len(accounts) < len(usernames):
        return
    life = Life(cast)
    living = Living(system, system.media.objects, life, accounts)
    while True:
        await sleep(life.pause())
        try:
            await living.act()
        except (LogUnavailable, StoreUnavailable) as error:
            log.warning("the demo community waits", detail=str(error))
            await sleep(_AWAY_S)
