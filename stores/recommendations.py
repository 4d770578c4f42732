"""The port of recommendations: whom to follow.

Friends of friends come first. An account c scores

    score(c) = (how many of those you follow follow c) / log2(2 + followers of c)

so that three of yours who follow a potter with 20 followers say more than four who follow a star: the number of common
neighbours, damped by the logarithm of the degree as in L. Adamic and E. Adar, Friends and neighbors on the web, Social
Networks 25(3), 2003. Behind them come the most followed accounts, which is all there is for who follows nobody.

Never yourself, nor whom you follow already, block or mute, nor who blocks you. The work is bounded: the newest 50
of those you follow count, and the newest 50 that each of them follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log2
from typing import NamedTuple, Protocol

from events.ids import AccountId, account_number

from .pages import Page

MOST_FRIENDS = 50
MOST_OF_EACH = 50
MOST_CANDIDATES = 150
"""How many friends of friends, those with the most followers in common first, and how many others are looked at."""


class Recommendations(Protocol):
    """What the query API reads."""

    async def for_account(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Whom an account may want to follow, best first."""
        ...


class Candidate(NamedTuple):
    """An account that may be recommended. `common` is how many of those you follow follow it, 0 for the others."""

    account: AccountId
    common: int
    followers: int


class _Ranked(NamedTuple):
    """An account where it stands: `place` 0 for friends of friends, 1 for the others; sorted as it is."""

    place: int
    below: float
    number: int


def best_of(candidates: Iterable[Candidate], before: str | None, limit: int) -> Page[AccountId]:
    """A page of the candidates, best first. A position is the place, score and number of the last account."""
    ids: dict[int, AccountId] = {}
    ranked = []
    for account, common, followers in candidates:
        number = account_number(account)
        ids[number] = account
        if common:
            ranked.append(_Ranked(0, -common / log2(2 + followers), number))
        else:
            ranked.append(_Ranked(1, -float(followers), number))
    ranked.sort()
    if before is not None:
        place, below, last_number = before.split(":")
        last = _Ranked(int(place), float(below), int(last_number))
        ranked = [entry for entry in ranked if entry > last]
    page = ranked[:limit]
    next_ = f"{page[-1].place}:{page[-1].below!r}:{page[-1].number}" if len(ranked) > limit else None
    return Page([ids[entry.number] for entry in page], next_)
