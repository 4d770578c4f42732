"""A process that decides while Kafka is unavailable: it says so of Kafka, and goes on."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from events.log import LogUnavailable
from runtime.distributed import command_store
from runtime.distributed.command_store import DistributedCommandStore, StateIdentity


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Any:
    """One whose PostgreSQL answers, and whose Kafka does not take what is published."""

    async def number(pool: object) -> int:
        return 1

    async def name(pool: object) -> str:
        return "a"

    async def nothing() -> None:
        pass

    async def refused() -> int:
        raise LogUnavailable("Kafka has not acknowledged within 1 s")

    monkeypatch.setattr(command_store, "UPKEEP_S", 0)
    monkeypatch.setattr(command_store, "newest_row", number)
    monkeypatch.setattr(command_store, "lineage", name)
    made: Any = object.__new__(DistributedCommandStore)
    made.authentication, made._pool = SimpleNamespace(detail=""), None
    made.store, made._kept = SimpleNamespace(forget_old_answers=nothing), SimpleNamespace(publish_waiting=refused)
    made._publishing = SimpleNamespace(newest=1)
    made._detail, made._identity = "not looked yet", StateIdentity("a", 0)
    return made


async def test_what_kafka_does_not_take_keeps_nobody_from_deciding(process: Any) -> None:
    looking = asyncio.create_task(process._keep_up())
    async with asyncio.timeout(10):
        while not process._identity.newest_row or process.detail:  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0)
    looking.cancel()
    assert process.detail == ""


@pytest.mark.parametrize("back", [True, False])
async def test_kafka_is_unavailable_until_it_answers_though_nobody_writes(process: Any, back: bool) -> None:
    asked = asyncio.Event()

    async def answers() -> bool:
        asked.set()
        return back

    process._kafka_is_back = False
    process._publisher = SimpleNamespace(breaker=SimpleNamespace(is_open=True), answers=answers)
    assert process.kafka_detail == "Kafka does not answer"
    asking = asyncio.create_task(process._poll_kafka())
    await asyncio.wait_for(asked.wait(), 10)
    await asyncio.sleep(0)
    asking.cancel()
    assert process.kafka_detail == ("" if back else "Kafka does not answer")
