"""The port of recommendations: accounts that an account may want to follow.

Friends of friends come first. An account c scores

    score(c) = (number of your followees that follow c) / log2(2 + followers of c)

so that three followees who follow a potter with 20 followers count more than four who follow a star. It is the number
of common neighbours, damped by the logarithm of the degree as in L. Adamic and E. Adar, Friends and neighbors on the
web, Social Networks 25(3), 2003. The most followed accounts come after them; an account that follows nobody gets only
these.

The account itself is left out, and so are accounts that it follows, blocks or mutes, or that block it. The work is
bounded: the newest 50 followees count, and the newest 50 followees of each.
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
"""How many friends of friends (those with the most common followers first) and how many other accounts are scored."""


class Recommendations(Protocol):
    """Reads for the query API."""

    async def for_account(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of accounts to follow, best first."""
        ...


class Candidate(NamedTuple):
    """An account that may be recommended. `common` is the number of your followees that follow it, 0 for the others."""

    account: AccountId
    common: int
    followers: int


class _Ranked(NamedTuple):
    """The sort key of a candidate. `place` is 0 for friends of friends, 1 for others; `below` is the negative score."""

    place: int
    below: float
    number: int


def best_of(candidates: Iterable[Candidate], before: str | None, limit: int) -> Page[AccountId]:
    """Return a page of the candidates, best first. The cursor has place, score and number of the last account."""
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
