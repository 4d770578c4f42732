"""The decision state's database, which also has all keys: opened, checked, and given back the keys that it lacks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from command_api.postgres.taking_back import TakingBack
from events.ids import Randomness
from events.postgres.connections import Pool, open_pool
from events.postgres.keys import PostgresKeys
from events.sealing import MasterKeys, Sealer
from runtime.distributed.kafka_clients import check_topics, kept_reader
from runtime.distributed.migrations import check_migrated
from runtime.distributed.settings import DecisionSettings
from runtime.settings import BadSettings, Settings
from runtime.telemetry import logger


def master_keys(settings: Settings) -> MasterKeys:
    """The master keys. Raises BadSettings, and what loading raises."""
    if settings.master_key_file is None:
        raise BadSettings(
            "master_key_file: not set; every process of an installation needs the same one"
            " (`minitwitter keys make-master FILE` makes it)"
        )
    return MasterKeys.load(settings.master_key_file)


@asynccontextmanager
async def decision_database(
    settings: DecisionSettings, *, most: int = 4, randomness: Randomness = os.urandom
) -> AsyncIterator[tuple[Pool, PostgresKeys]]:
    """A pool of up to `most` connections, and the keys. Migrations and topics are checked.

    Raises LogUnavailable, NotMigrated, WrongTopics, BadSettings.
    """
    sealer = Sealer(master_keys(settings))
    async with open_pool(settings.postgres, most=most) as pool:
        await check_migrated(pool)
        await check_topics(settings)
        yield pool, PostgresKeys(pool, sealer, randomness)


async def recover_keys(settings: DecisionSettings, pool: Pool, keys: PostgresKeys) -> None:
    """Take back the keys that a database restored from a backup lacks, now and whenever one is missing.

    Raises LogUnavailable.
    """
    taking = TakingBack(pool, keys, kept_reader(settings))

    async def recover() -> None:
        taken = await taking.take_back()
        if any(taken):
            logger("minitwitter.keys").warning("took back what the database lacked", **taken._asdict())

    await recover()
    keys.recover = recover
