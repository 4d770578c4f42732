"""Compare the served data with the ledger at the end: all acknowledged writes, once each, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import httpx

from .ledger import Ledger, Tweet

CAUGHT_UP_S = 60.0
AT_ONCE = 8
_PAGE = 100
_TOKENS = 8
"""The number of tokens that fits into a header of usual length."""

T = TypeVar("T")
Headers = Mapping[str, str]


class Reading:
    """Reads through the query API as each account that wrote."""

    def __init__(self, url: str, ledger: Ledger, signed_in: Mapping[str, Headers]) -> None:
        self._http = httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=30)
        self._ledger = ledger
        self._signed_in = signed_in
        self._viewer = next(iter(signed_in))
        self.findings: list[str] = []

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def caught_up(self) -> float:
        """Wait until every read model has all acknowledged writes; return the seconds. Raises AssertionError."""
        began = time.monotonic()
        paths = (
            f"/tweets/{next(iter(self._ledger.live))}",
            "/feed",
            f"/users/{self._viewer}",
            "/search/tweets?q=chaos",
            "/notifications",
        )
        tokens = [*self._ledger.tokens.values()]
        joined = [",".join(tokens[start : start + _TOKENS]) for start in range(0, len(tokens), _TOKENS)]
        behind = [(path, token) for path in paths for token in joined]
        while behind:
            left = []
            for path, token in behind:
                headers = {**self._signed_in[self._viewer], "consistency-token": token}
                answer = await self._http.get(path, headers=headers)
                if answer.status_code != 200 or "consistency" in answer.headers:
                    left.append((path, token))
                    if time.monotonic() - began > CAUGHT_UP_S:
                        raise AssertionError(
                            f"{path} is behind after {CAUGHT_UP_S:.0f} s: {answer.status_code} {dict(answer.headers)}"
                            f" {answer.text}"
                        )
            behind = left
        return time.monotonic() - began

    async def everything(self) -> None:
        """Compare all served data with the ledger; add each difference to `findings`."""
        ledger = self._ledger
        kept = {id_: tweet for id_, tweet in ledger.tweets.items() if id_ not in ledger.deleted}
        await self._each(kept.values(), self._tweet)
        await self._each(ledger.deleted, self._deleted)
        await self._each(sorted(ledger.accounts), self._account)
        await self._each(self._signed_in, self._lists)

    async def _each(self, some: Iterable[T], check: Callable[[T], Awaitable[None]]) -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(what: T) -> None:
            async with slots:
                await check(what)

        await asyncio.gather(*(one(what) for what in some))

    def _compare(self, what: str, served: object, acknowledged: object) -> None:
        if served != acknowledged:
            self.findings.append(f"{what} is {served!r}, acknowledged was {acknowledged!r}")

    async def _get(self, path: str, viewer: str) -> httpx.Response:
        return await self._http.get(path, headers=dict(self._signed_in[viewer]))

    async def _tweet(self, tweet: Tweet) -> None:
        ledger = self._ledger
        answer = await self._get(f"/tweets/{tweet.id}", tweet.author)
        if answer.status_code != 200:
            self.findings.append(f"tweet {tweet.id} of {tweet.author} is {answer.status_code} {answer.text}")
            return
        served = answer.json()
        name = f"tweet {tweet.id}"
        self._compare(f"{name}: text", served["text"], tweet.text)
        self._compare(f"{name}: author", served["author"]["username"], tweet.author)
        self._compare(f"{name}: reply", (served["reply_to"] or {}).get("id"), tweet.reply_to)
        likes = sum(liked == tweet.id for _, liked in ledger.likes)
        self._compare(f"{name}: likes", served["counts"]["likes"], likes)
        replies = sum(t.reply_to == tweet.id and t.id not in ledger.deleted for t in ledger.tweets.values())
        self._compare(f"{name}: replies", served["counts"]["replies"], replies)
        self._compare(
            f"{name}: liked by its author", served["viewer"]["liked"], (tweet.author, tweet.id) in ledger.likes
        )

    async def _deleted(self, tweet: str) -> None:
        answer = await self._get(f"/tweets/{tweet}", self._viewer)
        self._compare(f"deleted tweet {tweet}: status", answer.status_code, 410)

    async def _account(self, name: str) -> None:
        ledger = self._ledger
        answer = await self._get(f"/users/{name}", self._viewer)
        if answer.status_code != 200:
            self.findings.append(f"account {name} is {answer.status_code} {answer.text}")
            return
        served = answer.json()
        tweets = sum(t.author == name and t.id not in ledger.deleted for t in ledger.tweets.values())
        followers = sum(followee == name for _, followee in ledger.follows)
        following = sum(follower == name for follower, _ in ledger.follows)
        self._compare(f"{name}: tweets", served["tweets_count"], tweets)
        self._compare(f"{name}: followers", served["followers_count"], followers)
        self._compare(f"{name}: following", served["following_count"], following)

    async def _lists(self, name: str) -> None:
        ledger = self._ledger
        feed = [item["tweet"]["id"] for item in await self._all("/feed", name)]
        self._compare(f"feed of {name}", feed, ledger.feed(name))
        timeline = [item["tweet"]["id"] for item in await self._all(f"/users/{name}/tweets", name, "replies=true&")]
        tweets = [t.id for t in ledger.tweets.values() if t.author == name and t.id not in ledger.deleted]
        self._compare(f"tweets of {name}", timeline, sorted(tweets, reverse=True))
        following = {user["username"] for user in await self._all(f"/users/{name}/following", name)}
        self._compare(f"followed by {name}", following, {to for who, to in ledger.follows if who == name})

    async def _all(self, path: str, viewer: str, which: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            answer = await self._get(f"{path}?{which}limit={_PAGE}{cursor}", viewer)
            if answer.status_code != 200:
                self.findings.append(f"{path} of {viewer} is {answer.status_code} {answer.text}")
                return found
            page = answer.json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"
