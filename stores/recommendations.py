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

from typing import Protocol

from events.ids import AccountId

from .pages import Page

MOST_FRIENDS = 50
MOST_OF_EACH = 50


class Recommendations(Protocol):
    """What the query API reads."""

    async def for_account(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Whom an account may want to follow, best first."""
        ...
