"""The history of the demo community: the commands of the last days, generated from a seed.

The graph has hubs, activity has a long tail, days have nights, replies and likes gather on popular tweets, and one tag
trends today.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
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
from command_api.text.validation import read_tweet
from events.ids import AccountId, ActivityId, Millis, TweetId, id_at
from runtime.embedded.demo.cast import PEOPLE, SEED, SIGNED_IN, Cast, account_of
from runtime.embedded.demo.words import BIOS

Command = tuple[Decision[Any, Any], Any, Context]

TWEETS = 4000
DAYS = 5
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NEWEST_MS = 60_000
"""The age of the newest tweet: a minute."""
TREND_HOURS = 5.0
TREND_SHARE = 0.04
LONGEST_GAP_MS = DAY_MS
"""The longest time without a server for which activity is generated afterwards."""


@dataclass(frozen=True, slots=True)
class _Posted:
    tweet: TweetId
    author: int
    at: int
    weight: float


class Community:
    """The activity up to `now`; `commands` returns it in order of time."""

    def __init__(self, now: Millis, seed: int = SEED, people: int = PEOPLE, tweets: int = TWEETS) -> None:
        self._random = Random(seed)  # noqa: S311  # made-up people need no secrets
        self._tweets = tweets
        self._trending = int(tweets * TREND_SHARE)
        self._now = now
        self._span = DAYS * DAY_MS
        self._cast = Cast(self._random, people)
        begin = now - self._span - 30 * DAY_MS
        self._since = [Millis(begin + number * DAY_MS // 12) for number in range(people)]
        self._accounts = [
            account_of(person.username, since) for person, since in zip(self._cast.people, self._since, strict=True)
        ]
        self.accounts = dict(zip(SIGNED_IN, self._accounts, strict=False))

    @classmethod
    def since(cls, then: Millis, now: Millis, accounts: Sequence[AccountId], seed: int = SEED) -> Community:
        """Return the activity of the same people from `then` to `now`, at most LONGEST_GAP_MS of it."""
        later = cls(now, seed, len(accounts), 0)
        later._random = Random(f"{seed} {now}")  # noqa: S311  # as above
        later._accounts = list(accounts)
        later._span = min(now - then, LONGEST_GAP_MS)
        later._tweets = TWEETS * later._span // (DAYS * DAY_MS)
        later._trending = int(TWEETS * TREND_SHARE * min(1.0, later._span / (TREND_HOURS * HOUR_MS)))
        return later

    def busiest(self, number: int) -> dict[str, AccountId]:
        """Return the accounts with the most tweets, by name; the first two can be signed in to."""
        names = (person.username for person in self._cast.people[:number])
        return dict(zip(names, self._accounts, strict=False))

    def commands(self) -> list[Command]:
        """Yield all commands in order of time; each has its own time in its context."""
        return _in_order([*self._registrations(), *self._follows(), *self._conversations()])

    def conversations(self) -> list[Command]:
        """Yield conversations between people who exist and follow each other."""
        return _in_order(self._conversations())

    def _at(self, time: int, number: int, actor: AccountId, decision: Decision[Any, Any], command: Any) -> Any:
        context = Context(actor=actor, causation="demo", time=Millis(time))
        return time, number, (decision, command, context)

    def _registrations(self) -> Iterator[Any]:
        for number, (person, account) in enumerate(zip(self._cast.people, self._accounts, strict=True)):
            display = person.username.replace("_", " ").title()
            begin = ImportAccount(account, person.username, display)
            yield self._at(self._since[number], number, account, IMPORT_ACCOUNT, begin)
            one, two = (interest.tag.lower() for interest in person.interests)
            bio = self._random.choice(BIOS).replace("{}", one, 1).replace("{}", two)
            change = ChangeProfile(account, bio=bio)
            yield self._at(self._since[number] + 1000, number, account, CHANGE_PROFILE, change)

    def _follows(self) -> Iterator[Any]:
        latest = self._since[-1] + DAY_MS
        for person, others in enumerate(self._cast.followed):
            actor = self._accounts[person]
            for number, other in enumerate(sorted(others)):
                at = latest + (person * 211 + number * 7) * 1000
                yield self._at(at, number, actor, FOLLOW_ACCOUNT, FollowAccount(actor, self._accounts[other]))

    def _time(self) -> int:
        """Return a time in the last days, more often in the evening (UTC) than at night."""
        while True:
            age = self._random.uniform(NEWEST_MS, self._span)
            at = self._now - int(age)
            hour = at % DAY_MS / HOUR_MS
            if self._random.random() < 0.6 + 0.4 * math.sin((hour - 13) / 24 * 2 * math.pi):
                return at

    def _conversations(self) -> Iterator[Any]:
        random = self._random
        activity = list(accumulate(1 / (rank + 3) ** 0.8 for rank in range(len(self._accounts))))
        everyone = range(len(self._accounts))
        trending = self._trending
        before = min(TREND_HOURS * HOUR_MS, self._span - NEWEST_MS)
        times = sorted(
            [(self._time(), False) for _ in range(max(0, self._tweets - trending))]
            + [(self._now - NEWEST_MS - int(random.betavariate(1.2, 2.5) * before), True)
               for _ in range(trending)]
        )  # fmt: skip
        lately: list[_Posted] = []
        for number, (at, of_trend) in enumerate(times):
            # A trend needs many people, not only the busy ones.
            author = random.choice(everyone) if of_trend else random.choices(everyone, cum_weights=activity)[0]
            reply = None
            if not of_trend and lately and random.random() < 0.18:
                reply = random.choices(lately, [posted.weight for posted in lately])[0]
            says = (
                self._cast.answers(random, reply.author)
                if reply
                else self._cast.says(random, author, of_trend=of_trend)
            )
            tweet = TweetId(id_at(Millis(at), "demo", str(self._now), str(number)))
            posted = _Posted(tweet, author, at, random.paretovariate(1.3))
            yield self._post(posted, number, says, reply)
            yield from self._reactions(posted, number)
            lately = [*lately[-150:], posted]

    def _post(self, posted: _Posted, number: int, raw: str, reply: _Posted | None) -> Any:
        read = read_tweet(raw)
        actor = self._accounts[posted.author]
        post = PostTweet(
            actor=actor,
            tweet=posted.tweet,
            text=read.text,
            entities=read.entities,
            reply_to=reply.tweet if reply else None,
        )
        return self._at(posted.at, number, actor, POST_TWEET, post)

    def _reactions(self, posted: _Posted, number: int) -> Iterator[Any]:
        """Yield likes and retweets by followers, within hours, as many as the tweet's weight says.

        Reactions later than now are left out.
        """
        random = self._random
        followers = self._cast.followers[posted.author]
        likes = min(len(followers), int(posted.weight * random.uniform(0, 3)))
        retweets = min(likes, int(posted.weight * random.uniform(0, 0.6)))
        for place, person in enumerate(random.sample(followers, likes)):
            actor = self._accounts[person]
            at = posted.at + 20_000 + int(random.expovariate(1 / (2 * HOUR_MS)))
            if at > self._now:
                continue
            yield self._at(at, number, actor, LIKE_TWEET, LikeTweet(actor, posted.tweet))
            if place < retweets:
                retweet = ActivityId(id_at(Millis(at), "demo-retweet", posted.tweet, actor))
                yield self._at(at, number, actor, RETWEET_TWEET, RetweetTweet(actor, posted.tweet, retweet))


def _in_order(entries: Iterable[Any]) -> list[Command]:
    return [command for _, _, command in sorted(entries, key=lambda entry: entry[:2])]
