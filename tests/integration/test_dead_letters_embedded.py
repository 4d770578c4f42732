"""Dead letters of the embedded profile: one bad record affects its entity only, and is retried or discarded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import apsw
import msgspec
import pytest

from events.engagement import TweetLiked
from events.event import Envelope, Event, Handler, Handles
from events.graph import AccountFollowed
from events.ids import AccountId
from events.log import Record, TopicPartition
from events.sqlite.records import base
from events.sqlite.stored_rows import checksum
from projectors.counts import Counts
from projectors.graph import Graph
from runtime.dead_letter_policy import CannotApply
from runtime.dead_letters import Choice, Mended, NothingToDiscard
from runtime.embedded.dead_letters import discard, letters_in
from runtime.embedded.models import ALL_TABLES
from runtime.embedded.rebuild import CannotGoBack, LettersLeft
from runtime.embedded.system import InProcess, System
from runtime.embedded.verify import verify
from runtime.rebuild_progress import RebuildProgress
from runtime.settings import Settings
from runtime.verdict import Verdict
from stores.groups import ANALYTICS, SERVING
from tests.integration.in_process import NOW, on_the_spot, opened, populate
from tests.integration.running import minitwitter

E = TypeVar("E", bound=Event)

MODELS = [tables.model for tables in ALL_TABLES]
BAD = AccountId("-0000000-0000-8714-b7c3-0242ac120002")
"""An account id that an earlier version made for an account from before 1970."""


def damage(directory: Path, place: TopicPartition, offset: int, **columns: str | bytes | int | None) -> None:
    """Change a stored record directly. Its checksum is right only if `columns` has it."""
    connection = apsw.Connection(str(directory / "log.db"))
    names = ("position", "id", "type", "version", "key", "time", "headers", "value")
    at = base(place) + offset
    [row] = connection.execute(f"SELECT {','.join(names)} FROM records WHERE position=?", (at,))
    now = tuple((dict(zip(names, row, strict=True)) | columns).values())
    connection.execute(
        "UPDATE records SET type=?, version=?, key=?, time=?, headers=?, value=?, checksum=? WHERE position=?",
        (*now[2:], checksum(now) if columns else 7, at),
    )
    connection.close()


@contextmanager
def failing(
    views: InProcess | None, processor: type[Handles], event: type[E], fails: Callable[[E], bool]
) -> Iterator[None]:
    """Make the handler of an event fail for chosen events, in existing and new groups."""
    handler: Handler = processor.handlers[event]

    def handle(self: Handles, event: E, about: Envelope) -> None:
        handler(self, event, about)
        if fails(event):
            raise ValueError("not this one")

    def put(now: Handler) -> None:
        processor.handlers[event] = now
        for group in [] if views is None else [runner.group for runner in views.projecting._runners.values()]:
            for n, (_, one) in enumerate(group._handlers.get(event, ())):
                if type(one) is processor:
                    group._handlers[event][n] = (now, one)

    put(handle)
    try:
        yield
    finally:
        put(handler)


async def verdict(directory: Path) -> Verdict:
    return await verify(directory, None, lambda total: None, lambda done: None)


async def records_of(system: System, kind: str) -> list[Record]:
    return [record for record in await system.log.read({}, 100_000) if record.type == kind]


async def letters(system: System) -> list[tuple[str, str, str]]:
    return [(letter.group, letter.position, letter.cause) for letter in await letters_in(system.directory)]


def rebuilding(
    views: InProcess, models: Sequence[str] = MODELS, *, back: bool = False
) -> tuple[list[RebuildProgress], Awaitable[None]]:
    """Begin a rebuild; return its reports."""
    told: list[RebuildProgress] = []
    views.projecting.on_progress = told.append
    return told, views.projecting.rebuild(models, back=back)


async def test_a_damaged_record_is_set_aside_and_everything_else_is_applied(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        [*_, follow] = await records_of(system, "AccountFollowed")
        damage(tmp_path, follow.place, follow.offset)
        await views.project()
        assert {(group, position) for group, position, _ in await letters(system)} == {(SERVING, follow.position)}
        ends = await system.log.ends()
        assert views.projecting.positions(SERVING).covers(ends)
        assert views.projecting.waiting(SERVING).failed == 1
    found = await verdict(tmp_path)
    assert found.dead_letters == (f"{SERVING} {follow.position}",)
    assert [one.name for one in found.findings if not one.same and one.kind != "decision state"] == []


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"type": "AccountTeleported"}, "newer version"),
        ({"version": 99}, "newer version"),
        ({"value": b'{"follower":'}, "UnreadableEvent"),
    ],
)
async def test_a_payload_that_cannot_be_read_is_set_aside_with_its_reason(
    tmp_path: Path, change: dict[str, str | bytes | int | None], cause: str
) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        [first, *_] = await records_of(system, "AccountFollowed")
        damage(tmp_path, first.place, first.offset, **change)
        await views.project()
        found = await letters(system)
        [(group, position, why)] = [letter for letter in found if letter[2]]
        assert (group, position) == (SERVING, first.position)
        assert cause in why
        behind = [r for r in await system.log.read({}, 100_000) if r.topic == "graph" and r.key == first.key]
        assert len(found) == len(behind)


async def test_a_data_directory_whose_log_has_an_account_id_that_is_none_is_mended(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        for record in ((await records_of(system, "AccountFollowed"))[-1], (await records_of(system, "TweetLiked"))[-1]):
            assert isinstance(record.event, AccountFollowed | TweetLiked)
            own = record.event.followee if isinstance(record.event, AccountFollowed) else record.event.author
            value = msgspec.json.encode(record.event).replace(own.encode(), BAD.encode())
            damage(tmp_path, record.place, record.offset, value=value)
        await populate(system, seed=2)
        await views.project()
        found = await letters(system)
        assert {position.split("-")[0] for _, position, cause in found if "is no id" in cause} == {
            "graph",
            "engagement",
        }
        for _ in range(2):
            await discard(system, Choice(position=next(position for _, position, cause in found if cause)))
            mended = await views.projecting.take_discards()
            assert mended.discarded == 1
            found = await letters(system)
        assert found == []
        told, begun = rebuilding(views)
        await begun
        await views.project()
        assert {one.same for progress in told for one in progress.compared} == {True}
    compared = await verdict(tmp_path)
    assert [one.name for one in compared.findings if not one.same and one.kind != "decision state"] == []


async def test_a_handler_that_fails_for_one_account_is_mended_by_a_retry(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        follows = await records_of(system, "AccountFollowed")
        own = [record for record in follows if record.key == follows[0].key]
        with failing(views, Graph, AccountFollowed, lambda event: event.follower == follows[0].key):
            await views.project()
            assert views.projecting.waiting(SERVING).failed == 1
            assert await views.projecting.retry(Choice()) == Mended(applied=0, left=len(await letters(system)))
        mended = await views.projecting.retry(Choice(entity=f"graph/{own[0].key}"))
        assert mended.applied >= len(own)
        assert mended.left == 0
        assert await letters(system) == []
    assert (await verdict(tmp_path)).same


async def test_a_handler_that_fails_for_all_of_a_type_stops_its_group_alone_until_it_is_mended(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        with failing(views, Graph, AccountFollowed, lambda event: True):
            await views.project()
        assert views.projecting.stopped.keys() == {SERVING}
        assert "More than 10 of the last 10,000 records" in views.projecting.stopped[SERVING]
        assert views.projecting.positions(ANALYTICS).covers(await system.log.ends())
        assert (await views.projecting.retry(Choice())).left == 0
        await views.project()
        assert views.projecting.stopped == {}
        assert views.projecting.positions(SERVING).covers(await system.log.ends())
    assert (await verdict(tmp_path)).same


async def test_a_rebuild_ends_at_a_record_that_was_damaged_since_and_the_live_models_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        [*_, tweet] = await records_of(system, "TweetPosted")
        damage(tmp_path, tweet.place, tweet.offset)
        told, begun = rebuilding(views, ["tweets"])
        await begun
        await views.project()
        assert told[-1].state == "failed"
        assert f"{tweet.position} TweetPosted cannot be applied" in told[-1].detail
        assert views.views.generations()["tweets"] == 1
        await populate(system, seed=2)
        await views.project()
        assert views.projecting.positions(SERVING).covers(await system.log.ends())
        with pytest.raises(NothingToDiscard, match="say --group serving or --group analytics"):
            await discard(system, Choice(position=tweet.position))
        await discard(system, Choice(group=SERVING, position=tweet.position))
        await views.projecting.take_discards()
        told, begun = rebuilding(views, ["tweets"])
        await begun
        await views.project()
        assert told[-1].state == "done"


@pytest.mark.parametrize("named", ["all", "entity", "position"])
async def test_a_record_that_is_held_back_is_given_up_only_where_its_position_is_named(
    tmp_path: Path, named: str
) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        first = (await records_of(system, "AccountFollowed"))[0]
        damage(tmp_path, first.place, first.offset)
        await views.project()
        found = [letter for letter in await letters_in(system.directory) if letter.place == first.place]
        failed = [letter for letter in found if letter.cause]
        [held, *_] = [letter for letter in found if not letter.cause]
        choice = {
            "all": Choice(),
            "entity": Choice(entity=f"graph/{first.key}"),
            "position": Choice(position=held.position),
        }[named]
        if named == "position":
            assert await discard(system, choice) == 1
            await views.projecting.take_discards()
            assert [letter for letter in await letters_in(system.directory) if letter.place == first.place] == [
                letter for letter in found if letter.position != held.position
            ]
        else:
            assert await discard(system, choice) == len(failed)
            mended = await views.projecting.take_discards()
            assert mended == Mended(applied=len(found) - len(failed), discarded=len(failed))
            assert await letters(system) == []


async def test_a_record_damaged_after_it_was_applied_is_counted_once_without_those_held_back_behind_it(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        first = (await records_of(system, "AccountFollowed"))[0]
        damage(tmp_path, first.place, first.offset)
    found = await verdict(tmp_path)
    assert not found.same
    assert found.dead_letters == ()
    assert set(found.failed) <= {f"{group} {first.position}" for group in (SERVING, ANALYTICS)}
    assert found.damaged == (first.position,)


async def test_no_read_model_is_rebuilt_while_its_group_has_dead_letters(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        [first, *_] = await records_of(system, "AccountFollowed")
        with failing(views, Graph, AccountFollowed, lambda event: event.follower == first.key):
            await views.project()
        _, begun = rebuilding(views, ["users"])
        with pytest.raises(LettersLeft, match=f"{first.position} .* is a dead letter of serving"):
            await begun
        await views.projecting.retry(Choice())
        told, begun = rebuilding(views, ["users", "counts"])
        await begun
        await views.project()
        assert {one.same for progress in told for one in progress.compared} == {True}


async def test_letters_that_come_while_it_is_built_end_a_rebuild_at_the_switch(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        told, begun = rebuilding(views, ["users"])
        await begun
        await populate(system, seed=2)
        [*_, last] = await records_of(system, "AccountFollowed")
        with failing(views, Graph, AccountFollowed, lambda event: event == last.event):
            await views.project()
        assert told[-1].state == "failed"
        assert last.position in told[-1].detail
        assert views.views.generations()["users"] == 1


async def test_what_is_retried_is_in_no_generation_kept_for_going_back_so_none_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        _, begun = rebuilding(views, ["users"])
        await begun
        await views.project()
        await populate(system, seed=2)
        [*_, last] = await records_of(system, "AccountFollowed")
        with failing(views, Graph, AccountFollowed, lambda event: event == last.event):
            await views.project()
        await views.projecting.retry(Choice())
        _, begun = rebuilding(views, ["users"], back=True)
        with pytest.raises(CannotGoBack):
            await begun


async def test_what_a_newer_projector_makes_at_the_start_has_what_the_others_have(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        [first, *_] = await records_of(system, "AccountFollowed")
        with failing(views, Graph, AccountFollowed, lambda event: event.follower == first.key):
            await views.project()
        before = await letters(system)
        views.views.connection.execute("UPDATE models SET version=0 WHERE model='counts'")
    async with opened(tmp_path) as (system, views):
        assert views.views.generations()["counts"] == 2
        assert await letters(system) == before
        await views.projecting.retry(Choice())
    assert (await verdict(tmp_path)).same


async def test_a_newer_projector_that_cannot_apply_a_record_stops_the_start_until_that_is_discarded(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        [first, *_] = await records_of(system, "AccountFollowed")
        views.views.connection.execute("UPDATE models SET version=0 WHERE model='counts'")
    with failing(None, Counts, AccountFollowed, lambda event: event == first.event):
        with pytest.raises(CannotApply, match=f"discard {first.position} --group serving"):
            async with opened(tmp_path):
                pass
        async with opened_log(tmp_path) as system:
            await discard(system, Choice(group=SERVING, position=first.position))
        async with opened(tmp_path) as (system, views):
            assert views.views.generations()["counts"] >= 2


@asynccontextmanager
async def opened_log(directory: Path) -> AsyncIterator[System]:
    """The command side without read models."""
    system = System(Settings(data=directory, partitions=4, bcrypt_cost=4), clock=lambda: NOW, off_loop=on_the_spot)
    try:
        yield system
    finally:
        await system.close()


async def test_the_log_is_looked_at_past_what_cannot_be_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, _):
        await populate(system, people=4, tweets=10)
        [first, *_] = await records_of(system, "TweetPosted")
        damage(tmp_path, first.place, first.offset, type="TweetTranslated")
        number = sum((await system.log.ends()).values())
    tailed = minitwitter("events", "tail", "--data", tmp_path)
    assert tailed.returncode == 0, tailed.stderr
    printed = [json.loads(line) for line in tailed.stdout.splitlines()]
    assert len(printed) == number
    [faulty] = [event for event in printed if "fault" in event]
    assert (faulty["position"], faulty["type"], faulty["data"]) == (first.position, "TweetTranslated", None)
    assert "newer version" in faulty["fault"]
    shown = minitwitter("events", "show", first.position, "--data", tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout) == faulty
