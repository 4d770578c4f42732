"""Passwords: which are good enough, and their bcrypt hashes, made off the event loop.

A hash of cost 12 takes about 0.2 s of a core. A small pool of threads makes them (bcrypt lets go of the interpreter),
and beyond a bounded queue callers are told to come back, so that a storm of sign-ins costs neither memory nor the
other requests. Hashes of new passwords have a queue and a thread of their own, so that a storm of registrations keeps
nobody from signing in.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import bcrypt

from .deciding import Refused
from .domain.names import SERVICE
from .text.characters import compose

T = TypeVar("T")

LEAST_CHARACTERS: Final = 8
MOST_BYTES: Final = 72
"""bcrypt reads no further."""
LEAST_GUESSES: Final = 1e6
"""zxcvbn's score of 2: safe from guessing at a server that limits attempts."""
LONGEST_SCORED: Final = 32
LEAST_KNOWN: Final = 4
"""Letters of a name that is a word with digits and signs about it; of fewer, the digits and signs are the password."""


class WeakPassword(Refused):
    """A password that no account can have. `code` says why, and is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooBusy(Exception):
    """Too many passwords wait to be hashed; nothing was done. Come back in a few seconds."""


def check_password(password: str, username: str, *about: str) -> None:
    """Whether an account called `username` may have this password (NIST SP 800-63B, 3.1.1.2). Raises WeakPassword.

    `about` is what else is known of its owner: an address, a name.
    """
    password = compose(password)
    if len(password) < LEAST_CHARACTERS:
        raise WeakPassword("too_short", f"a password has at least {LEAST_CHARACTERS} characters")
    if len(_bytes_of(password)) > MOST_BYTES:
        raise WeakPassword("too_long", f"a password has at most {MOST_BYTES} bytes in UTF-8")
    if username.lower() in password.lower():
        raise WeakPassword("contains_username", "a password may not contain the user name")
    if f"\n{password.lower()}\n" in common_passwords():
        raise WeakPassword("common", "this password is one of the most common ones; choose another")
    known = [SERVICE, username, *about]
    letters = _letters(password)
    is_known = len(letters) >= LEAST_KNOWN and letters in map(_letters, known)
    if is_known or _guesses(password, known) < LEAST_GUESSES:
        raise WeakPassword("guessable", "this password is easily guessed; add a word or two that are not about you")


def _letters(text: str) -> str:
    """What of `text` is not digits and signs, which people set about a word that they know."""
    return "".join(filter(str.isalpha, text)).lower()


def _guesses(password: str, known: list[str]) -> float:
    """How many guesses a password takes at least, for somebody who tries `known` first. Takes 1 to 25 ms.

    A password takes no fewer than its beginning, and the time that counting takes grows faster than its length.
    """
    from zxcvbn import zxcvbn  # 15 MB and 0.1 s, for the first password that is chosen

    words = [part[:LONGEST_SCORED] for text in known for part in (text, *text.split("@"), *text.split())]
    guesses: float = float(zxcvbn(password[:LONGEST_SCORED], user_inputs=words)["guesses"])
    return guesses


@functools.cache
def common_passwords() -> str:
    """zxcvbn's list of common passwords, as far as they are long enough, a line each, lower case.

    Only that one list of its is read, and kept as one text: importing zxcvbn takes 15 MB, and this 0.1.
    """
    package = importlib.util.find_spec("zxcvbn")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).with_name("frequency_lists.py")
    spec = importlib.util.spec_from_file_location("frequency_lists", path)
    assert spec is not None
    assert spec.loader is not None
    lists = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lists)
    words = [word for word in lists.FREQUENCY_LISTS["passwords"] if len(word) >= LEAST_CHARACTERS]
    return "\n" + "\n".join(words) + "\n"


class Passwords:
    """Makes and verifies hashes. `cost` is that of new ones; older ones keep theirs until the password is changed.

    `waiting` is how many may wait to be verified by one of the `threads`, and how many to be made by another one.
    """

    def __init__(self, *, cost: int, threads: int, waiting: int = 32) -> None:
        self._cost = cost
        self._made = _Queue("new-passwords", 1, waiting)
        self._verified = _Queue("passwords", threads, waiting)
        # Work of the same cost for logins that have no password: no password fits 31 dots.
        self._nobodys = bcrypt.gensalt(cost) + b"." * 31

    async def hash(self, password: str) -> bytes:
        """The hash of a password that check_password let pass. Raises TooBusy."""
        raw = _bytes_of(password)
        return await self._made.run(lambda: bcrypt.hashpw(raw, bcrypt.gensalt(self._cost)))

    async def verify(self, password: str, hashed: bytes | None) -> bool:
        """Whether a password fits a hash. Without one it does not, and that takes as long. Raises TooBusy."""
        raw = _bytes_of(password)
        if hashed is None or len(raw) > MOST_BYTES:
            raw, hashed = raw[:MOST_BYTES], self._nobodys
        fitting = hashed
        return await self._verified.run(lambda: bcrypt.checkpw(raw, fitting))

    def close(self) -> None:
        """Let the threads go; what waits is dropped."""
        self._made.close()
        self._verified.close()


class _Queue:
    """Threads, and how much may wait for them."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._most = threads + waiting
        self._in_hand = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_give_way)

    async def run(self, work: Callable[[], T]) -> T:
        """Do it in a thread. Raises TooBusy."""
        if self._in_hand >= self._most:
            raise TooBusy("too many passwords wait to be hashed; try again in a few seconds")
        self._in_hand += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        # Counted until the thread is done with it, not until the caller has gone.
        future.add_done_callback(self._done)
        return await asyncio.shield(future)

    def _done(self, future: asyncio.Future[T]) -> None:
        self._in_hand -= 1

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _give_way() -> None:
    """Let the thread that asks for hashes come last: with two cores full of them the event loop does 1.4-2 times as
    much, its p99 falls from 8-16 ms to 4.
    """
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _bytes_of(password: str) -> bytes:
    # In NFC (RFC 8265), because keyboards differ in how they write the same letter.
    return compose(password).encode()
