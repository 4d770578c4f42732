"""The database of the decision state and of all keys: opens it, checks it, and restores missing keys from Kafka."""

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
    """Load the master keys. Raises BadSettings, and the errors of loading."""
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
    """Open a pool of up to `most` connections, and the keys; check migrations and topics.

    Raises LogUnavailable, NotMigrated, WrongTopics, BadSettings.
    """
    sealer = Sealer(master_keys(settings))
    async with open_pool(settings.postgres, most=most) as pool:
        await check_migrated(pool)
        await check_topics(settings)
        yield pool, PostgresKeys(pool, sealer, randomness)


async def recover_keys(settings: DecisionSettings, pool: Pool, keys: PostgresKeys) -> None:
    """Restore the keys that a database lacks after a restore from a backup, now and whenever one is missing.

    Raises LogUnavailable.
    """
    taking = TakingBack(pool, keys, kept_reader(settings))

    async def recover() -> None:
        taken = await taking.take_back()
        if any(taken):
            logger("minitwitter.keys").warning("took back what the database lacked", **taken._asdict())

    await recover()
    keys.recover = recover
