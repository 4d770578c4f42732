"""Cached rows and their invalidation."""

import asyncio
from typing import Any

from stores.cached.remembered import Remembered


class Store:
    """A store of rows that counts its reads."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        self.asked: list[list[str]] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.is_asked = asyncio.Event()

    async def of(self, ids: list[str]) -> dict[str, Any]:
        self.asked.append(sorted(ids))
        self.is_asked.set()
        found = {id_: self.rows[id_] for id_ in ids if id_ in self.rows}
        await self.answers.wait()
        return found


async def test_a_row_is_read_once_and_a_missing_row_each_time() -> None:
    store = Store()
    store.rows = {"a": 1}
    rows: Remembered[str, Any] = Remembered(10)
    assert await rows.of(["a", "b"], store.of) == {"a": 1}
    store.rows["b"] = 2
    assert await rows.of(["a", "b"], store.of) == {"a": 1, "b": 2}
    assert await rows.of(["b", "a"], store.of) == {"a": 1, "b": 2}
    assert store.asked == [["a", "b"], ["b"]]
    assert (rows.asked, rows.missed) == (6, 3)


async def test_invalidated_rows_are_read_again_and_others_stay_cached() -> None:
    store = Store()
    store.rows = {"a": 1, "b": 1}
    rows: Remembered[str, Any] = Remembered(10)
    await rows.of(["a", "b"], store.of)
    store.rows = {"a": 2, "b": 2}
    rows.forget(["a", "never seen"])
    assert await rows.of(["a", "b"], store.of) == {"a": 2, "b": 1}
    rows.clear()
    assert await rows.of(["a", "b"], store.of) == {"a": 2, "b": 2}


async def test_a_row_read_before_its_invalidation_is_returned_but_not_cached() -> None:
    store = Store()
    store.rows = {"a": 1}
    rows: Remembered[str, Any] = Remembered(10)
    store.answers.clear()
    asking = asyncio.ensure_future(rows.of(["a"], store.of))
    await store.is_asked.wait()
    store.rows = {"a": 2}
    rows.forget(["a"])
    store.answers.set()
    assert await asking == {"a": 1}
    assert await rows.of(["a"], store.of) == {"a": 2}


async def test_the_least_recently_used_rows_are_evicted() -> None:
    store = Store()
    store.rows = dict.fromkeys("abc", 1)
    rows: Remembered[str, Any] = Remembered(2)
    await rows.of(["a", "b"], store.of)
    await rows.of(["a"], store.of)
    await rows.of(["c"], store.of)
    await rows.of(["a", "c"], store.of)
    await rows.of(["b"], store.of)
    assert store.asked == [["a", "b"], ["c"], ["b"]]


async def test_invalidating_one_row_does_not_prevent_caching_of_another() -> None:
    store = Store()
    store.rows = {"a": 1, "b": 1}
    rows: Remembered[str, Any] = Remembered(10)
    store.answers.clear()
    asking = asyncio.ensure_future(rows.of(["a", "b"], store.of))
    await store.is_asked.wait()
    rows.forget(["a"])
    store.answers.set()
    assert await asking == {"a": 1, "b": 1}
    await rows.of(["a", "b"], store.of)
    assert store.asked == [["a", "b"], ["a"]]


async def test_of_two_concurrent_reads_the_later_answer_is_cached() -> None:
    store = Store()
    rows: Remembered[str, Any] = Remembered(10)
    first_may, second_may = asyncio.Event(), asyncio.Event()

    async def slow(ids: list[str]) -> dict[str, str]:
        await first_may.wait()
        return dict.fromkeys(ids, "asked first")

    async def quick(ids: list[str]) -> dict[str, str]:
        await second_may.wait()
        return dict.fromkeys(ids, "asked last")

    first = asyncio.ensure_future(rows.of(["a"], slow))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(rows.of(["a"], quick))
    await asyncio.sleep(0)
    second_may.set()
    assert await second == {"a": "asked last"}
    first_may.set()
    assert await first == {"a": "asked first"}
    assert await rows.of(["a"], store.of) == {"a": "asked last"}


async def test_rows_are_weighed_by_the_given_function() -> None:
    store = Store()
    store.rows = {"a": "four", "b": "five5", "c": "1"}
    rows: Remembered[str, Any] = Remembered(9, len)
    await rows.of(["a", "b"], store.of)
    await rows.of(["c"], store.of)
    assert await rows.of(["b", "c"], store.of) == {"b": "five5", "c": "1"}
    await rows.of(["a"], store.of)
    rows.forget(["b", "c"])
    store.rows["a"] = "nine long"
    rows.forget(["a"])
    await rows.of(["a"], store.of)
    await rows.of(["a"], store.of)
    assert store.asked == [["a", "b"], ["c"], ["a"], ["a"]]


async def test_concurrent_requests_for_a_row_read_it_once() -> None:
    store = Store()
    store.rows = {"a": 1}
    rows: Remembered[str, Any] = Remembered(10)
    assert await rows.of(["a", "b", "a", "b"], store.of) == {"a": 1}
    assert await rows.of(["a", "a"], store.of) == {"a": 1}
    assert store.asked == [["a", "b"]]
