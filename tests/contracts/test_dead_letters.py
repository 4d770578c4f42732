"""The contract of the DeadLetters port, for every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from msgspec import structs

from events.ids import Millis, id_at
from events.log import TopicPartition
from stores.dead_letters import Counts, DeadLetter, DeadLetters, DeadLettersInMemory, all_letters
from stores.postgres.dead_letters import PostgresDeadLetters, pool_of
from stores.postgres.pointers import Pointers
from stores.sqlite.dead_letters import SqliteDeadLetters
from stores.sqlite.views import Views
from tests.on_postgres import a_database

GROUP = "serving"
TWEETS, GRAPH = TopicPartition("tweets", 3), TopicPartition("graph", 10)


class Letters(Protocol):
    """Dead letters of the groups of one store."""

    def letters(self, group: str = GROUP) -> DeadLetters: ...
    def restart(self) -> None: ...
    def close(self) -> None: ...


class InMemory:
    """Dead letters in memory."""

    def __init__(self, path: Path) -> None:
        self._groups: dict[str, DeadLettersInMemory] = {}

    def letters(self, group: str = GROUP) -> DeadLettersInMemory:
        return self._groups.setdefault(group, DeadLettersInMemory())

    def restart(self) -> None:
        pass

    def close(self) -> None:
        pass


class InViews:
    """Dead letters in views.db."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.views = Views(path / "views.db", ())

    def letters(self, group: str = GROUP) -> SqliteDeadLetters:
        return SqliteDeadLetters(self.views.connection, group)

    def restart(self) -> None:
        self.close()
        self.views = Views(self.path / "views.db", ())

    def close(self) -> None:
        self.views.connection.close()


class InPostgres:
    """Dead letters in PostgreSQL, of one generation of the read models."""

    def __init__(self, url: str) -> None:
        self.pool = pool_of(url)

    def letters(self, group: str = GROUP) -> PostgresDeadLetters:
        return PostgresDeadLetters(self.pool, group, "search")

    def restart(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.engines)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Letters]:
    if request.param != "postgres":
        local: Letters = InMemory(tmp_path) if request.param == "memory" else InViews(tmp_path)
        yield local
        local.close()
        return
    with a_database(request.getfixturevalue("postgres")) as url:
        await Pointers(url).migrate()
        made = InPostgres(url)
        await made.pool.open()
        yield made
        await made.pool.close()


def letter(offset: int, place: TopicPartition = TWEETS, group: str = GROUP, **known: Any) -> DeadLetter:
    fields: dict[str, Any] = {
        "key": id_at(Millis(1), "ada"), "event_id": id_at(Millis(2), str(offset)), "type": "TweetPosted", "version": 3,
        "cause": "ValueError: no such place", "at": Millis(1_790_000_000_000), "attempts": 1,
    } | known  # fmt: skip
    return DeadLetter(group=group, place=place, offset=offset, **fields)


async def test_letters_survive_a_restart_in_the_order_of_their_positions(store: Letters) -> None:
    put = [letter(12), letter(2), letter(7, GRAPH, key="", event_id="", type="", version=0), letter(3, cause="")]
    await store.letters().put(put[:2])
    await store.letters().put(put[2:])
    if isinstance(store, InViews):
        store.restart()
    assert await all_letters(store.letters()) == [put[2], put[1], put[3], put[0]]
    assert await store.letters().counts() == Counts(failed=3, all=4)


async def test_a_letter_that_is_put_twice_keeps_its_first_values(store: Letters) -> None:
    first = letter(1)
    await store.letters().put([first])
    await store.letters().put([letter(1, cause="", attempts=0), letter(2)])
    assert await all_letters(store.letters()) == [first, letter(2)]


async def test_a_failure_changes_cause_and_attempts_of_an_existing_letter(store: Letters) -> None:
    held = letter(1, cause="", attempts=0)
    await store.letters().put([held])
    again = structs.replace(held, cause="KeyError: 7", attempts=1)
    await store.letters().failed_again(again)
    await store.letters().failed_again(letter(2))
    assert await all_letters(store.letters()) == [again]


async def test_removing_a_letter_twice_has_no_further_effect(store: Letters) -> None:
    await store.letters().put([letter(1), letter(2), letter(1, GRAPH)])
    for _ in range(2):
        await store.letters().remove([letter(1), letter(9)])
    assert await all_letters(store.letters()) == [letter(1, GRAPH), letter(2)]


async def test_pages_continue_after_a_position(store: Letters) -> None:
    letters = store.letters()
    await letters.put([letter(offset, place) for place in (TWEETS, GRAPH) for offset in range(5)])
    assert await letters.page(limit=3) == [letter(offset, GRAPH) for offset in range(3)]
    assert await letters.page((GRAPH, 2), limit=4) == [letter(3, GRAPH), letter(4, GRAPH), letter(0), letter(1)]
    assert await letters.page((TWEETS, 4)) == []


async def test_groups_do_not_see_each_others_letters(store: Letters) -> None:
    await store.letters().put([letter(1)])
    await store.letters("analytics").put([letter(1, group="analytics", cause="")])
    await store.letters("analytics").remove([letter(1, group="analytics")])
    assert await store.letters().counts() == Counts(1, 1)
    assert await store.letters("analytics").counts() == Counts(0, 0)


async def test_letters_of_a_batch_that_is_rolled_back_can_be_put_again(
    store: Letters,
) -> None:
    if isinstance(store, InViews):
        store.views.connection.execute("BEGIN")
        await store.letters().put([letter(1)])
        store.views.connection.execute("ROLLBACK")
    await store.letters().put([letter(1)])
    assert await all_letters(store.letters()) == [letter(1)]
