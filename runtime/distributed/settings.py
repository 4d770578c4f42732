"""Settings of the distributed profile: a class for each set of engines that a process or a command needs.

`of` checks that the addresses of these engines are set, before anything is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Self, cast

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from redis.asyncio.connection import parse_url

from runtime.settings import BadSettings, Settings
from stores.cassandra.address import Address
from stores.postgres import roles


class EngineSettings(Settings):
    """Settings with the addresses of some engines: subclasses narrow the types of these fields."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return these settings with the addresses that this class requires. Raises BadSettings."""
        check(settings, *(name for name in _ADDRESSES if cls.model_fields[name].is_required()))
        return cast("Self", cls.model_construct(**dict(settings)))  # its mypy plugin fails here


class LogSettings(EngineSettings):
    """Settings with the address of Kafka."""

    kafka_url: str

    @property
    def brokers(self) -> str:
        """The brokers as HOST:PORT,HOST:PORT, regardless of the setting's form."""
        return brokers(self.kafka_url)


class PostgresSettings(EngineSettings):
    """Settings with the address of PostgreSQL."""

    postgres_url: SecretStr

    @property
    def postgres(self) -> str:
        """The address of PostgreSQL, with its password."""
        return self.postgres_url.get_secret_value()


class DecisionSettings(LogSettings, PostgresSettings):
    """Settings with the addresses of Kafka and PostgreSQL, for deciding and relaying."""

    kafka_url: str
    postgres_url: SecretStr


class CommandSettings(DecisionSettings):
    """Settings with the addresses for the command API; its rate limits are in Redis."""

    redis_url: SecretStr

    @property
    def redis(self) -> str:
        """The address of Redis, with its password."""
        return self.redis_url.get_secret_value()


class DistributedSettings(CommandSettings):
    """Settings with the addresses of all four engines."""

    cassandra_url: SecretStr

    @property
    def cassandra(self) -> Address:
        """The address of Cassandra, and the keyspace of the first generation."""
        return Address.parse(self.cassandra_url.get_secret_value())


def brokers(url: str) -> str:
    """Return the brokers as HOST:PORT,HOST:PORT, regardless of the setting's form."""
    return url.removeprefix("kafka://").rstrip("/")


def _are_brokers(url: str) -> bool:
    return all(
        (found := _BROKER.fullmatch(broker)) is not None and 0 < int(found["port"]) <= _LAST_PORT
        for broker in brokers(url).split(",")
    )


def _is_conninfo(url: str) -> bool:
    try:
        return bool(conninfo_to_dict(url))
    except ProgrammingError:
        return False


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def parses(url: str) -> bool:
        try:
            parse(url)
        except ValueError:
            return False
        return True

    return parses


_BROKER = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
_LAST_PORT = 65535
_ADDRESSES: dict[str, tuple[Callable[[str], bool], str]] = {
    "kafka_url": (_are_brokers, "HOST:PORT,HOST:PORT"),
    "postgres_url": (_is_conninfo, "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
    "cassandra_url": (_parses(Address.parse), "cassandra://HOST:PORT,HOST:PORT/KEYSPACE?datacenter=NAME"),
    "redis_url": (_parses(parse_url), "redis://HOST:PORT/0"),
}
"""For each engine, the check of an address (the driver's own parser if there is one), and an example."""


def check(settings: Settings, *names: str) -> None:
    """Check that all of these addresses are set and well-formed. Raises BadSettings."""
    missing = [name for name in names if getattr(settings, name) is None]
    if missing:
        variables = ", ".join(f"MINITWITTER_{name.upper()}" for name in missing)
        raise BadSettings(
            f"{', '.join(missing)}: not set, and this process cannot do without; set {variables}"
            " (`minitwitter engines up` prints them for engines on this machine)"
        )
    for name in names:
        given = getattr(settings, name)
        is_address, like = _ADDRESSES[name]
        if not is_address(given if isinstance(given, str) else given.get_secret_value()):
            raise BadSettings(f"{name}: it looks like {like}; what is set is not repeated, for it may have a password")


def named(settings: Settings, role: str) -> Settings:
    """Return the settings for a process of a role. PostgreSQL learns the role; `minitwitter status` reads it there."""
    url = settings.postgres_url
    if url is None or not _is_conninfo(url.get_secret_value()):
        return settings  # the role refuses it
    return settings.model_copy(update={"postgres_url": SecretStr(roles.named(url.get_secret_value(), role))})
