"""`minitwitter status` in the distributed profile, in states that no process runs in."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from events.ids import Millis
from events.log import TopicPartition
from events.postgres.keys import PostgresKeys
from runtime.dead_letter_policy import MOST
from runtime.distributed.models.generations import Generations
from runtime.distributed.rebuild.notes import rebuilds
from runtime.distributed.rebuild.rebuild import rebuild_decisions
from runtime.distributed.settings import DistributedSettings
from runtime.distributed.status import status
from runtime.readiness import Part
from stores.dead_letters import DeadLetter
from stores.postgres.dead_letters import PostgresDeadLetters, pool_of
from tests.integration.installation import Installation, installed

pytestmark = [pytest.mark.engines, pytest.mark.slow]


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str, cassandra: str, redis: str
) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("installation"), kafka, postgres, cassandra, redis) as made:
        yield made


def unreadable(offset: int) -> DeadLetter:
    return DeadLetter(
        group="timelines",
        place=TopicPartition("tweets", 0),
        offset=offset,
        key=f"key-{offset}",
        event_id="",
        type="",
        version=0,
        cause="it is not an event",
        at=Millis(1),
        attempts=1,
    )


async def test_before_anything_is_set_up_each_part_names_what_sets_it_up(
    tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str, s3: str
) -> None:
    keyspace = f"{cassandra.rstrip('/')}/nothing_{uuid.uuid4().hex[:12]}"
    settings = Installation(tmp_path, kafka, postgres, cassandra=keyspace, redis=redis).settings()
    store = SecretStr(f"{s3}nothing-{uuid.uuid4().hex[:12]}")
    settings = settings.model_copy(update={"media": settings.media.model_copy(update={"s3": store})})
    told = {part.name: (part.state, part.detail) for part in (await status(settings)).parts}
    assert told["kafka"] == ("degraded", "topics are missing: `minitwitter topics apply` creates them")
    unmade = "its tables are not there; run `minitwitter migrate`"
    assert {name: told[name] for name in ("postgres", "sessions", "outbox", "timelines")} == {
        "postgres": ("down", unmade),
        "sessions": ("degraded", unmade),
        "outbox": ("degraded", unmade),
        "timelines": ("down", unmade),
    }
    state, detail = told["media"]
    assert state == "degraded"
    assert detail.startswith("the S3 store: it has no bucket '")
    assert detail.endswith("'; `minitwitter serve command` makes it when it starts")


async def test_a_group_that_stopped_for_its_dead_letters_is_told_with_the_command_that_lists_them(
    installation: Installation,
) -> None:
    settings = installation.settings()
    pool = pool_of(installation.url)
    await pool.open()
    letters = PostgresDeadLetters(
        pool, "timelines", Generations.first(DistributedSettings.of(settings)).of("timelines")
    )
    await letters.put([unreadable(offset) for offset in range(MOST)])
    await pool.close()
    groups = {group.name: group for group in (await status(settings)).groups}
    assert groups["timelines"].dead_letters == MOST
    assert "it stopped, since 10 records could not be applied" in groups["timelines"].detail
    assert "`minitwitter dead-letters list --group timelines`" in groups["timelines"].detail
    assert groups["search"].detail.startswith("nobody works on it: run `minitwitter work projectors`")


async def test_while_the_decision_state_is_rebuilt_nothing_is_written_and_status_says_how_far(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = installation.settings()
    found: list[Part] = []

    async def fold(
        reader: object, pool: object, email_key: bytes, begin: Callable[[int], None], advance: Callable[[int], None]
    ) -> int:
        begin(50)
        advance(20)
        async with asyncio.timeout(30):
            while not any(one.done for one in await rebuilds(settings)):
                pass
        found.extend((await status(settings)).parts)
        return 50

    monkeypatch.setattr("runtime.distributed.rebuild.rebuild.fold_decisions", fold)
    monkeypatch.setattr("runtime.distributed.rebuild.rebuild.recover_keys", nothing)
    monkeypatch.setattr(PostgresKeys, "secret", nothing)
    await rebuild_decisions(settings, lambda total: None, lambda done: None)
    [command] = [part for part in found if part.name == "command"]
    assert command.state == "down"
    assert command.detail.startswith("the decision state is being rebuilt: 40%")
    assert await rebuilds(settings) == []


async def nothing(*_: object) -> bytes:
    return b""
