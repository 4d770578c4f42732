"""Check the strength of passwords, and hash and verify them with bcrypt off the event loop.

A hash of cost 12 takes about 0.2 s of a core. A small pool of threads computes them (bcrypt releases the GIL). Its
queue is bounded: when it is full, callers get TooBusy, so that many sign-ins at once cost neither memory nor the
latency of other requests. New passwords have a queue and a thread of their own, so that many registrations do not
block sign-ins.
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
"""bcrypt ignores the bytes after these."""
LEAST_GUESSES: Final = 1e6
"""zxcvbn's score of 2: enough against guessing at a server that limits attempts."""
LONGEST_SCORED: Final = 32
LEAST_KNOWN: Final = 4
"""The least letters that a password has to share with a known word to be refused as that word with decoration.

With fewer letters, the digits and signs are most of the password.
"""


class WeakPassword(Refused):
    """A password that is not allowed. `code` names the broken rule and is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooBusy(Exception):
    """The queue of passwords to hash is full; nothing was done. Retry after a few seconds."""


def check_password(password: str, username: str, *about: str) -> None:
    """Raise WeakPassword if an account called `username` may not have this password (NIST SP 800-63B, 3.1.1.2).

    `about` are other known words of the owner, such as the e-mail address and the display name. Takes 1 to 25 ms.
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
    """Return the letters of `text` in lower case, without the digits and signs that people add to a word."""
    return "".join(filter(str.isalpha, text)).lower()


def _guesses(password: str, known: list[str]) -> float:
    """Return how many guesses a password takes at least, if the guesser tries `known` first. Takes 1 to 25 ms.

    Only the first LONGEST_SCORED characters are scored: the time grows faster than the length, and the whole password
    takes at least as many guesses as its beginning.
    """
    from zxcvbn import zxcvbn  # imported on first use: 15 MB and 0.1 s

    words = [part[:LONGEST_SCORED] for text in known for part in (text, *text.split("@"), *text.split())]
    guesses: float = float(zxcvbn(password[:LONGEST_SCORED], user_inputs=words)["guesses"])
    return guesses


@functools.cache
def common_passwords() -> str:
    """Return zxcvbn's common passwords of at least LEAST_CHARACTERS, in lower case, each between two line feeds.

    Only this list is loaded, as one string of 0.1 MB: importing zxcvbn takes 15 MB.
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
    """Hashes and verifies passwords off the event loop.

    `cost` is the bcrypt cost of new hashes; an existing hash keeps its cost until the password is changed. `threads`
    verify, and one more thread hashes new passwords. `waiting` is the length of each of the two queues.
    """

    def __init__(self, *, cost: int, threads: int, waiting: int = 32) -> None:
        self._cost = cost
        self._made = _Queue("new-passwords", 1, waiting)
        self._verified = _Queue("passwords", threads, waiting)
        # Verified for logins without a password, so that they take as long: no password has a hash of 31 dots.
        self._nobodys = bcrypt.gensalt(cost) + b"." * 31

    async def hash(self, password: str) -> bytes:
        """Return the bcrypt hash of a password that check_password accepted. Raises TooBusy."""
        raw = _bytes_of(password)
        return await self._made.run(lambda: bcrypt.hashpw(raw, bcrypt.gensalt(self._cost)))

    async def verify(self, password: str, hashed: bytes | None) -> bool:
        """Whether a password matches a hash; false for None, after the same time. Raises TooBusy."""
        raw = _bytes_of(password)
        if hashed is None or len(raw) > MOST_BYTES:
            raw, hashed = raw[:MOST_BYTES], self._nobodys
        fitting = hashed
        return await self._verified.run(lambda: bcrypt.checkpw(raw, fitting))

    def close(self) -> None:
        """Stop the threads and drop queued work."""
        self._made.close()
        self._verified.close()


class _Queue:
    """A thread pool with a bounded queue."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._most = threads + waiting
        self._in_hand = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_give_way)

    async def run(self, work: Callable[[], T]) -> T:
        """Run the work in a thread. Raises TooBusy if the queue is full."""
        if self._in_hand >= self._most:
            raise TooBusy("too many passwords wait to be hashed; try again in a few seconds")
        self._in_hand += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        # Counted until the thread has finished, even if the caller is cancelled before.
        future.add_done_callback(self._done)
        return await asyncio.shield(future)

    def _done(self, future: asyncio.Future[T]) -> None:
        self._in_hand -= 1

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _give_way() -> None:
    """Lower the priority of the calling thread, so that the event loop runs first.

    With both cores busy hashing, the event loop then does 1.4-2 times as much; its p99 falls from 8-16 ms to 4.
    """
    if sys.platform == "linux":  # the only system on which each thread has its own priority
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _bytes_of(password: str) -> bytes:
    # In NFC (RFC 8265), because keyboards encode the same letter in different ways.
    return compose(password).encode()
