"""Limiting failed sign-ins, for each login and for each address they come from.

Attempts of one login, or from one address, take turns: none is made while another is still being verified, so that
many at once cannot slip past the limit together, and those that succeed cost nothing. Few of each may wait for their
turn, so that nobody fills the room of all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rest.rate_limits import Policy, RateLimits
from rest.shares import Shares

from .deciding import Refused
from .passwords import TooBusy


class SignInAttempts:
    """Guards attempts. A login is limited as it was typed, whether or not it names an account, so that being limited
    tells nobody which address belongs to which name.

    `most` is how many attempts may be in hand, waiting for their turn or not.
    """

    OF_ADDRESS = 20
    OF_LOGIN = 10
    """Attempts in hand of one address, and of one login."""

    def __init__(self, limits: RateLimits, policies: tuple[Policy, ...], most: int = 200) -> None:
        self._limits = limits
        self._policies = policies
        self._most = most
        self._in_hand = 0
        self._of_address = Shares("sign-ins from an address", self.OF_ADDRESS)
        self._of_login = Shares("sign-ins to an account", self.OF_LOGIN)
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def attempt(self, login: str, address: str) -> AsyncIterator[None]:
        """One attempt; it failed if it ends with a Refused.

        Raises TooMany, or the problem `too-many` where too many of the login or the address wait, before it is made,
        and TooBusy when too many wait in all.
        """
        with self._of_address.one(address), self._of_login.one(login.casefold()):
            async with self._in_turn(login, address):
                yield

    @asynccontextmanager
    async def _in_turn(self, login: str, address: str) -> AsyncIterator[None]:
        if self._in_hand >= self._most:
            raise TooBusy("too many sign-ins at once; try again in a few seconds")
        # Addresses before logins, always: two attempts never wait for each other.
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
