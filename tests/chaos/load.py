"""A steady load of writes. A write with an unknown outcome is retried with its Idempotency-Key until it is known."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from .ledger import Ledger, Tweet

PASSWORD = "correct horse battery"
ATTEMPT_S = 10.0
"""Seconds after which the outcome of an attempt counts as unknown."""
AGAIN_S = 0.2
GIVE_UP_S = 120.0
"""Seconds after which a write without an answer is a violation."""
UNDECIDED = frozenset((409, 429, 502, 503, 504))
"""Status codes after which a write is retried: still running, too many requests, unavailable."""
GONE = frozenset((404, 410))


class Writer:
    """A writer. It makes one write after the other, on any command process that answers."""

    def __init__(self, name: str, seed: str, ledger: Ledger, commands: Sequence[str], query: str) -> None:
        self.name = name
        self.headers: dict[str, str] = {}
        self._ledger = ledger
        self._random = random.Random(f"{seed} {name}")
        self._numbers = itertools.count()
        self._places = itertools.cycle(commands)
        self._query = query
        self._http = httpx.AsyncClient(timeout=ATTEMPT_S)
        self._place = next(self._places)
        self._left_alone: set[str] = set()
        """Whom or what it withdrew from without an answer at first: that attempt, which has no key, may still be on its
        way, and would undo what came later."""

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def register(self, name: str | None = None) -> dict[str, str]:
        """Register an account; return its authorization header."""
        name = name or self.name
        began = time.monotonic()
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        answer, attempts = await self._asked("POST", "/auth/register", json=body, decided=frozenset((201, 409)))
        if answer.status_code == 409:
            if attempts == 1:
                self._ledger.violations.append(f"{name} was taken before it was ever asked for: {answer.text}")
            return await self.sign_in(name)  # it was an earlier attempt that took it
        await self._acknowledged("register", began, "accounts", answer, name)
        self._ledger.accounts.add(name)
        return {"authorization": f"Bearer {answer.json()['access_token']}"}

    async def sign_in(self, name: str) -> dict[str, str]:
        """Sign in; return the authorization header."""
        body = {"login": name, "password": PASSWORD}
        answer, _ = await self._asked("POST", "/auth/login", json=body, decided=frozenset((200,)))
        self._ledger.accounts.add(name)
        return {"authorization": f"Bearer {answer.json()['access_token']}"}

    async def write(self, on: Callable[[], bool], pause_s: float) -> None:
        """Write while `on` returns True, with a mean pause of `pause_s` between two writes."""
        while on():
            await self._write()
            await asyncio.sleep(self._random.uniform(0, 2 * pause_s))

    async def _write(self) -> None:
        chance = self._random.random()
        live = self._ledger.live
        mine = [tweet.id for tweet in live.values() if tweet.author == self.name]
        some = self._random.choice(list(live.values())[-200:]) if live else None
        if chance < 0.03:
            await self._newcomer()
        elif chance < 0.08 and len(mine) > 3:
            await self._delete(self._random.choice(mine))
        elif chance < 0.2:
            others = sorted(self._ledger.accounts - {self.name} - self._left_alone)
            await self._follow(self._random.choice(others), self._random.random() < 0.7)
        elif chance < 0.5 and some is not None:
            liked = [tweet for who, tweet in self._ledger.likes if who == self.name and tweet in live]
            if liked and self._random.random() < 0.3:
                await self._like(self._random.choice(sorted(liked)), False)
            elif some.id not in self._left_alone:
                await self._like(some.id, True)
        elif chance < 0.65 and some is not None:
            await self._post(some)
        else:
            await self._post(None)

    async def _newcomer(self) -> None:
        name = f"{self.name}_{next(self._numbers)}"
        await self.register(name)

    async def _follow(self, other: str, follows: bool) -> None:
        began = time.monotonic()
        answer, attempts = await self._decided("POST" if follows else "DELETE", f"/users/{other}/follow")
        if not follows and attempts > 1:
            self._left_alone.add(other)
        if not answer.is_success:
            self._ledger.violations.append(f"{self.name} follows {other}: {answer.status_code} {answer.text}")
            return
        (self._ledger.follows.add if follows else self._ledger.follows.discard)((self.name, other))
        await self._acknowledged("follow" if follows else "unfollow", began, "graph", answer, self.name)

    async def _like(self, tweet: str, likes: bool) -> None:
        began = time.monotonic()
        answer, attempts = await self._decided("POST" if likes else "DELETE", f"/tweets/{tweet}/like")
        if not likes and attempts > 1:
            self._left_alone.add(tweet)
        if self._is_gone(answer, tweet):
            return
        (self._ledger.likes.add if likes else self._ledger.likes.discard)((self.name, tweet))
        await self._acknowledged("like" if likes else "unlike", began, "engagement", answer, self.name)

    async def _post(self, to: Tweet | None) -> None:
        began = time.monotonic()
        text = f"{self.name} {next(self._numbers)}" + (" again" if to else " #chaos")
        body = {"text": text} | ({"reply_to": to.id} if to else {})
        answer, _ = await self._decided("POST", "/tweets", json=body)
        if to is not None and self._is_gone(answer, to.id):
            return
        if answer.status_code != 201:
            self._ledger.violations.append(f"{self.name} posts: {answer.status_code} {answer.text}")
            return
        id_ = answer.json()["id"]
        if id_ in self._ledger.tweets:
            self._ledger.violations.append(f"{id_} was given to two tweets")
        self._ledger.tweets[id_] = Tweet(id_, self.name, text, to.id if to else None)
        await self._acknowledged("reply" if to else "tweet", began, "tweets", answer, self.name)
        await self._read_back(id_, text, answer.headers["consistency-token"])

    async def _delete(self, tweet: str) -> None:
        began = time.monotonic()
        self._ledger.given_up.add(tweet)
        answer, attempts = await self._decided("DELETE", f"/tweets/{tweet}")
        if not answer.is_success and not (answer.status_code == 410 and attempts > 1):
            self._ledger.violations.append(f"{self.name} deletes {tweet}: {answer.status_code} {answer.text}")
        self._ledger.deleted.add(tweet)
        await self._acknowledged("delete", began, "tweets", answer, self.name)

    def _is_gone(self, answer: httpx.Response, tweet: str) -> bool:
        """Whether the tweet of the write was deleted, which is right only if a deletion was requested."""
        if answer.is_success:
            return False
        if answer.status_code not in GONE or tweet not in self._ledger.given_up:
            self._ledger.violations.append(f"{self.name} writes about {tweet}: {answer.status_code} {answer.text}")
        self._ledger.happened["about what was deleted"] += 1
        return True

    async def _read_back(self, tweet: str, text: str, token: str) -> None:
        """Read one's own write: it is there, or the answer says that it is stale.

        A tweet is shown with its author, who may have registered a moment ago; a token is of its own write alone.
        """
        tokens = filter(None, (token, self._ledger.tokens.get((self.name, "accounts"))))
        headers = self.headers | {"consistency-token": ",".join(tokens)}
        try:
            answer = await self._http.get(f"{self._query}/api/v1/tweets/{tweet}", headers=headers)
        except httpx.TransportError:
            self._ledger.happened["reads without an answer"] += 1
            return
        if answer.status_code in UNDECIDED:
            self._ledger.happened["reads refused"] += 1
        elif answer.headers.get("consistency") == "stale":
            self._ledger.happened["reads that are stale"] += 1
        elif answer.status_code == 200 and answer.json()["text"] == text:
            self._ledger.happened["reads of one's own write"] += 1
        else:
            self._ledger.violations.append(f"{tweet}, read back: {answer.status_code} {answer.text}")

    async def _acknowledged(self, kind: str, began: float, topic: str, answer: httpx.Response, who: str) -> None:
        token = answer.headers.get("consistency-token")
        if token is not None:
            self._ledger.tokens[who, topic] = token
        await self._ledger.acknowledge(kind, time.monotonic() - began)

    async def _decided(self, method: str, path: str, **request: Any) -> tuple[httpx.Response, int]:
        """Retry with one key until an answer is final; return the number of attempts."""
        headers = {"idempotency-key": f"{self.name} {next(self._numbers)}"} if method == "POST" else {}
        return await self._asked(method, path, headers=headers, signed=True, **request)

    async def _asked(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        signed: bool = False,
        decided: frozenset[int] = frozenset(),
        **request: Any,
    ) -> tuple[httpx.Response, int]:
        deadline = time.monotonic() + GIVE_UP_S
        attempts = 0
        while True:
            attempts += 1
            said = ""
            try:
                answer = await self._http.request(
                    method,
                    f"{self._place}/api/v1{path}",
                    headers=(headers or {}) | (self.headers if signed else {}),
                    **request,
                )
            except httpx.TransportError as error:
                said = repr(error)
                self._ledger.happened["unknown outcomes"] += 1
            else:
                status = answer.status_code
                if status in decided or (status < 500 and status not in UNDECIDED and status != 401):
                    return answer, attempts
                said = f"{status} {answer.text}"
                self._ledger.happened[f"asked again after {status}"] += 1
                if status == 401 and signed:
                    self.headers = await self.sign_in(self.name)
                elif status not in UNDECIDED:
                    self._ledger.violations.append(f"{method} {path}: {said}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: {method} {path} has no answer after {attempts} attempts: {said}")
            self._place = next(self._places)
            await asyncio.sleep(AGAIN_S)
