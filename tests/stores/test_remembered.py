"""Rows that a process remembers, until they are outdated."""

import asyncio

from stores.remembered import Remembered


class Store:
    """Rows that are asked for, and how often."""

    def __init__(self):
        self.rows = {}
        self.asked = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.is_asked = asyncio.Event()

    async def of(self, ids):
        self.asked.append(sorted(ids))
        self.is_asked.set()
        found = {id_: self.rows[id_] for id_ in ids if id_ in self.rows}
        await self.answers.wait()
        return found


async def test_a_row_is_asked_for_once_and_one_that_is_not_there_each_time():
    store = Store()
    store.rows = {"a": 1}
    rows = Remembered(store.of, 10)
    assert await rows.of(["a", "b"]) == {"a": 1}
    store.rows["b"] = 2
    assert await rows.of(["a", "b"]) == {"a": 1, "b": 2}
    assert await rows.of(["b", "a"]) == {"a": 1, "b": 2}
    assert store.asked == [["a", "b"], ["b"]]
    assert (rows.asked, rows.missed) == (6, 3)


async def test_what_is_outdated_is_asked_for_again_and_what_is_not_stays():
    store = Store()
    store.rows = {"a": 1, "b": 1}
    rows = Remembered(store.of, 10)
    await rows.of(["a", "b"])
    store.rows = {"a": 2, "b": 2}
    rows.forget(["a", "never seen"])
    assert await rows.of(["a", "b"]) == {"a": 2, "b": 1}
    rows.clear()
    assert await rows.of(["a", "b"]) == {"a": 2, "b": 2}


async def test_an_answer_from_before_a_change_is_given_but_not_kept():
    store = Store()
    store.rows = {"a": 1}
    rows = Remembered(store.of, 10)
    store.answers.clear()
    asking = asyncio.ensure_future(rows.of(["a"]))
    await store.is_asked.wait()
    store.rows = {"a": 2}
    rows.forget(["a"])
    store.answers.set()
    assert await asking == {"a": 1}
    assert await rows.of(["a"]) == {"a": 2}


async def test_those_used_longest_ago_are_let_go():
    store = Store()
    store.rows = dict.fromkeys("abc", 1)
    rows = Remembered(store.of, 2)
    await rows.of(["a", "b"])
    await rows.of(["a"])
    await rows.of(["c"])
    await rows.of(["a", "c"])
    await rows.of(["b"])
    assert store.asked == [["a", "b"], ["c"], ["b"]]
