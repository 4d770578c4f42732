"""Rate-limit failed sign-ins, by login and by client address.

Attempts for one login, or from one address, run one after the other, so that many attempts at once cannot pass the
limit together. A successful attempt costs no token of the limit. Only a few attempts of one login or address may wait,
so that they do not take the places of all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rest.rate_limits import RateLimits, RatePolicy
from rest.shares import Shares

from .deciding import Refused
from .passwords import TooBusy


class SignInAttempts:
    """Guards attempts to sign in.

    A login is limited as typed, even if it names no account, so that a 429 does not reveal which address belongs to
    which name. `most` is the limit of attempts that run or wait at once.
    """

    OF_ADDRESS = 20
    OF_LOGIN = 10
    """How many attempts of one address, and of one login, may run or wait at once."""

    def __init__(self, limits: RateLimits, policies: tuple[RatePolicy, ...], most: int = 200) -> None:
        self._limits = limits
        self._policies = policies
        self._most = most
        self._in_hand = 0
        self._of_address = Shares("sign-ins from an address", self.OF_ADDRESS)
        self._of_login = Shares("sign-ins to an account", self.OF_LOGIN)
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def attempt(self, login: str, address: str) -> AsyncIterator[None]:
        """Run one attempt in the body of the context; a Refused counts as a failure.

        Before the body runs, raises TooMany if the rate limit is reached, the problem `too-many` if too many attempts
        of the login or the address wait, and TooBusy if too many wait in all.
        """
        with self._of_address.one(address), self._of_login.one(login.casefold()):
            async with self._in_turn(login, address):
                yield

    @asynccontextmanager
    async def _in_turn(self, login: str, address: str) -> AsyncIterator[None]:
        if self._in_hand >= self._most:
            raise TooBusy("too many sign-ins at once; try again in a few seconds")
        # Always the address before the login, so that two attempts never wait for each other.
        keys = (f"address {address}", f"login {login.casefold()}")
        self._in_hand += 1
        try:
            async with self._turn(keys[0]), self._turn(keys[1]):
                for key in keys:
                    await self._limits.check(self._policies, key)
                try:
                    yield
                except Refused:
                    for key in keys:
                        await self._limits.take(self._policies, key)
                    raise
        finally:
            self._in_hand -= 1

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(key, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[key]


class _Turn:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0
