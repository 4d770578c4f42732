"""The people of the demo community: names, interests and follows. They depend on a seed alone, not on the time."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from events.ids import AccountId, Millis, id_at, without_time
from runtime.embedded.demo.words import FIRST, INTERESTS, LAST, REPLIES, TREND, Interest

SEED = 20150217
PEOPLE = 320
FOLLOWS_EACH = 18
SIGNED_IN = ("ada", "ben")
"""The two accounts that a person can sign in to."""


class DemoPerson(NamedTuple):
    """A person, and their interests."""

    username: str
    interests: tuple[Interest, Interest]


class Cast:
    """The people; the first two can be signed in to. `followed` has the indexes of the people whom each one follows."""

    def __init__(self, random: Random, count: int = PEOPLE) -> None:
        self._random = random
        self.people = self._make_people(count)
        self.followed = self._make_graph()
        self.followers: list[list[int]] = [[] for _ in self.people]
        for person, others in enumerate(self.followed):
            for other in sorted(others):
                self.followers[other].append(person)

    def _make_people(self, count: int) -> list[DemoPerson]:
        random = self._random
        names = [f"{first}_{last}" for first in FIRST for last in LAST]
        chosen = [*SIGNED_IN, *random.sample(names, count - len(SIGNED_IN))]
        people = []
        for username in chosen:
            first, second = random.sample(INTERESTS, 2)
            people.append(DemoPerson(username, (first, second)))
        return people

    def _make_graph(self) -> list[set[int]]:
        """Make a graph by preferential attachment (Barabasi and Albert, 1999); a third of the follows are mutual."""
        random = self._random
        followed: list[set[int]] = [set() for _ in self.people]
        urn = list(range(min(20, len(self.people))))
        for person in range(len(self.people)):
            wanted = min(len(self.people) - 1, 3 + int(random.expovariate(1 / FOLLOWS_EACH)))
            if person < len(SIGNED_IN):
                wanted = 2 * FOLLOWS_EACH
            for _ in range(wanted * 3):
                if len(followed[person]) >= wanted:
                    break
                other = random.choice(urn) if random.random() < 0.8 else random.randrange(len(self.people))
                if other != person and other not in followed[person]:
                    followed[person].add(other)
                    urn.append(other)
                    if random.random() < 0.33:
                        followed[other].add(person)
            urn.append(person)
        return followed

    def says(self, random: Random, person: int, *, of_trend: bool) -> str:
        """Return a text that a person would post."""
        interest = TREND if of_trend else random.choice(self.people[person].interests)
        said = random.choice(random.choices((interest.good, interest.plain, interest.bad), (4, 4, 2))[0])
        text = said.replace("{}", random.choice(interest.things))
        return f"{text} #{interest.tag}" if of_trend or random.random() < 0.45 else text

    def answers(self, random: Random, other: int) -> str:
        """Return a text that anybody would reply with."""
        text = random.choice(REPLIES)
        return f"@{self.people[other].username} {text}" if random.random() < 0.5 else text


def the_cast() -> Cast:
    """Return the people of `serve --demo`."""
    return Cast(Random(SEED))  # noqa: S311  # made-up people need no secrets


def account_of(username: str, since: Millis) -> AccountId:
    """Return the account of a person."""
    return AccountId(id_at(since, "demo", username))


def is_of_demo(account: AccountId, username: str) -> bool:
    """Return whether the demo made the account of this name: only its accounts have ids derived from their names."""
    return without_time(account) == without_time(account_of(username, Millis(0)))
