"""The demo community: the commands that a few hundred people gave in the last days, made up from a seed.

A graph with hubs (who is followed gets followed), activity with a long tail, days with nights, replies and likes that
gather around what has them already, and one tag today that everybody uses at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

from command_api.deciding import Context, Decision
from command_api.domain.change_profile import CHANGE_PROFILE, ChangeProfile
from command_api.domain.follow_account import FOLLOW_ACCOUNT, FollowAccount
from command_api.domain.import_account import IMPORT_ACCOUNT, ImportAccount
from command_api.domain.like_tweet import LIKE_TWEET, LikeTweet
from command_api.domain.post_tweet import POST_TWEET, PostTweet
from command_api.domain.retweet_tweet import RETWEET_TWEET, RetweetTweet
from command_api.text.entities import extract
from command_api.text.validation import check_tweet
from events.ids import AccountId, ActivityId, Millis, TweetId, id_at

from .demo_words import BIOS, FIRST, INTERESTS, LAST, REPLIES, TREND, Interest

Command = tuple[Decision[Any, Any], Any, Context]

SEED = 20150217
PEOPLE = 320
TWEETS = 4000
DAYS = 5
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NEWEST_MS = 60_000
"""The newest tweet is a minute old."""
TREND_HOURS = 5.0
TREND_SHARE = 0.04
FOLLOWS_EACH = 18
SIGNED_IN = ("ada", "ben")
"""The two accounts that a person can sign in to."""


@dataclass(frozen=True, slots=True)
class _Person:
    account: AccountId
    username: str
    since: Millis
    interests: tuple[Interest, Interest]


@dataclass(frozen=True, slots=True)
class _Posted:
    tweet: TweetId
    author: int
    at: int
    weight: float


class Community:
    """Everything that happened up to `now`; `commands` gives it in the order of time."""

    def __init__(self, now: Millis, seed: int = SEED, people: int = PEOPLE, tweets: int = TWEETS) -> None:
        self._random = Random(seed)  # noqa: S311  # made-up people need no secrets
        self._tweets = tweets
        self._now = now
        self._begin = now - DAYS * DAY_MS
        self._people = self._make_people(people)
        self._followed = self._make_graph()
        self._followers: list[list[int]] = [[] for _ in self._people]
        for person, others in enumerate(self._followed):
            for other in sorted(others):
                self._followers[other].append(person)
        self.accounts = {person.username: person.account for person in self._people[: len(SIGNED_IN)]}

    def commands(self) -> list[Command]:
        """All commands, in the order of time; each has its own time in its context."""
        everything = [*self._registrations(), *self._follows(), *self._conversations()]
        return [command for _, _, command in sorted(everything, key=lambda entry: entry[:2])]

    def _at(self, time: int, number: int, actor: AccountId, decision: Decision[Any, Any], command: Any) -> Any:
        context = Context(actor=actor, causation="demo", time=Millis(time))
        return time, number, (decision, command, context)

    def _make_people(self, count: int) -> list[_Person]:
        random = self._random
        names = [f"{first}_{last}" for first in FIRST for last in LAST]
        chosen = [*SIGNED_IN, *random.sample(names, count - len(SIGNED_IN))]
        people = []
        for number, username in enumerate(chosen):
            since = Millis(self._begin - 30 * DAY_MS + number * DAY_MS // 12)
            first, second = random.sample(INTERESTS, 2)
            people.append(_Person(AccountId(id_at(since, "demo", username)), username, since, (first, second)))
        return people

    def _registrations(self) -> Iterator[Any]:
        for number, person in enumerate(self._people):
            display = person.username.replace("_", " ").title()
            begin = ImportAccount(person.account, person.username, display)
            yield self._at(person.since, number, person.account, IMPORT_ACCOUNT, begin)
            one, two = (interest.tag.lower() for interest in person.interests)
            bio = self._random.choice(BIOS).replace("{}", one, 1).replace("{}", two)
            change = ChangeProfile(person.account, bio=bio)
            yield self._at(person.since + 1000, number, person.account, CHANGE_PROFILE, change)

    def _make_graph(self) -> list[set[int]]:
        """Preferential attachment (Barabasi and Albert, 1999), both ways round for a third of the follows."""
        random = self._random
        followed: list[set[int]] = [set() for _ in self._people]
        urn = list(range(min(20, len(self._people))))
        for person in range(len(self._people)):
            wanted = min(len(self._people) - 1, 3 + int(random.expovariate(1 / FOLLOWS_EACH)))
            if person < len(SIGNED_IN):
                wanted = 2 * FOLLOWS_EACH
            for _ in range(wanted * 3):
                if len(followed[person]) >= wanted:
                    break
                other = random.choice(urn) if random.random() < 0.8 else random.randrange(len(self._people))
                if other != person and other not in followed[person]:
                    followed[person].add(other)
                    urn.append(other)
                    if random.random() < 0.33:
                        followed[other].add(person)
            urn.append(person)
        return followed

    def _follows(self) -> Iterator[Any]:
        latest = self._people[-1].since + DAY_MS
        for person, others in enumerate(self._followed):
            actor = self._people[person].account
            for number, other in enumerate(sorted(others)):
                at = latest + (person * 211 + number * 7) * 1000
                yield self._at(at, number, actor, FOLLOW_ACCOUNT, FollowAccount(actor, self._people[other].account))

    def _time(self) -> int:
        """A moment of the last days, more often in the evening (UTC) than at night."""
        while True:
            age = self._random.uniform(NEWEST_MS, DAYS * DAY_MS)
            at = self._now - int(age)
            hour = at % DAY_MS / HOUR_MS
            if self._random.random() < 0.6 + 0.4 * math.sin((hour - 13) / 24 * 2 * math.pi):
                return at

    def _conversations(self) -> Iterator[Any]:
        random = self._random
        activity = list(accumulate(1 / (rank + 3) ** 0.8 for rank in range(len(self._people))))
        everyone = range(len(self._people))
        trending = int(self._tweets * TREND_SHARE)
        times = sorted(
            [(self._time(), False) for _ in range(self._tweets - trending)]
            + [(self._now - NEWEST_MS - int(random.betavariate(1.2, 2.5) * TREND_HOURS * HOUR_MS), True)
               for _ in range(trending)]
        )  # fmt: skip
        lately: list[_Posted] = []
        for number, (at, of_trend) in enumerate(times):
            # A trend is made of many people, not of the busy ones.
            author = random.choice(everyone) if of_trend else random.choices(everyone, cum_weights=activity)[0]
            reply = None
            if not of_trend and lately and random.random() < 0.18:
                reply = random.choices(lately, [posted.weight for posted in lately])[0]
            text = random.choice(REPLIES) if reply else self._text(author, of_trend)
            if reply and random.random() < 0.5:
                text = f"@{self._people[reply.author].username} {text}"
            posted = _Posted(TweetId(id_at(Millis(at), "demo", str(number))), author, at, random.paretovariate(1.3))
            yield self._post(posted, number, text, reply)
            yield from self._reactions(posted, number)
            lately = [*lately[-150:], posted]

    def _text(self, author: int, of_trend: bool) -> str:
        random = self._random
        interest = TREND if of_trend else random.choice(self._people[author].interests)
        said = random.choice(random.choices((interest.good, interest.plain, interest.bad), (4, 4, 2))[0])
        text = said.replace("{}", random.choice(interest.things))
        return f"{text} #{interest.tag}" if of_trend or random.random() < 0.45 else text

    def _post(self, posted: _Posted, number: int, raw: str, reply: _Posted | None) -> Any:
        text = check_tweet(raw)
        actor = self._people[posted.author].account
        post = PostTweet(
            actor=actor,
            tweet=posted.tweet,
            text=text,
            entities=extract(text),
            reply_to=reply.tweet if reply else None,
        )
        return self._at(posted.at, number, actor, POST_TWEET, post)

    def _reactions(self, posted: _Posted, number: int) -> Iterator[Any]:
        """Likes and retweets by followers, within hours, as many as the tweet's weight says."""
        random = self._random
        followers = self._followers[posted.author]
        likes = min(len(followers), int(posted.weight * random.uniform(0, 3)))
        retweets = min(likes, int(posted.weight * random.uniform(0, 0.6)))
        for place, person in enumerate(random.sample(followers, likes)):
            actor = self._people[person].account
            at = min(self._now - 1000, posted.at + 20_000 + int(random.expovariate(1 / (2 * HOUR_MS))))
            yield self._at(at, number, actor, LIKE_TWEET, LikeTweet(actor, posted.tweet))
            if place < retweets:
                retweet = ActivityId(id_at(Millis(at), "demo-retweet", posted.tweet, actor))
                yield self._at(at, number, actor, RETWEET_TWEET, RetweetTweet(actor, posted.tweet, retweet))
