"""Settings: one typed object, read once, and the origin of each value.

In order of precedence: the command line, the environment (`MINITWITTER_PORT`, `MINITWITTER_RATE_LIMITS__TWEETS_A_DAY`),
the file (`minitwitter.toml` in the data directory, or the one given with --config), the defaults. Unknown settings are
refused, so that a typing mistake is not silently ignored.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "MINITWITTER_"
_NESTED = "__"
_S3 = re.compile(r"s3s?://[^:@/]+:[^:@/]+@[^@/?]+/[^/?]+/?(?:\?region=[a-z0-9-]+)?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+")
_OTHERS = (f"{PREFIX}ENGINES_", f"{PREFIX}TEST_")
"""Variables with our prefix that infra/local and the tests use: they are not settings."""


def _split(value: Any) -> Any:
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list; in the environment its items are separated by commas."""


class BadSettings(Exception):
    """A setting is unknown or out of bounds; the message names it and where it came from."""


class RateLimitSettings(BaseModel):
    """Token buckets, for each account and each address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tweets_a_day: int = Field(300, ge=1, description="tweets of an account in 24 hours")
    tweets_a_second: float = Field(1.0, gt=0, description="tweets of an account in a second, in the long run")
    tweets_burst: int = Field(5, ge=1, description="tweets of an account at once")
    follows_a_day: int = Field(400, ge=1, description="follows of an account in 24 hours")
    uploads_a_day: int = Field(300, ge=1, description="media of an account in 24 hours")
    failed_sign_ins_an_hour: int = Field(10, ge=1, description="failed sign-ins for an account, and for an address")
    registrations_an_hour: int = Field(20, ge=1, description="registrations that an address may try")
    anonymous_reads_a_minute: int = Field(600, ge=1, description="reads for an address that is not signed in")
    anonymous_writes_a_minute: int = Field(
        120, ge=1, description="sign-ins, refreshes and the like for an address that is not signed in"
    )
    reads_a_minute: int = Field(6000, ge=1, description="reads of an account, for each process")
    writes_a_minute: int = Field(300, ge=1, description="writes of an account of any kind, for each process")
    files_a_minute: int = Field(3000, ge=1, description="pictures and videos fetched by an address, for each process")


class MediaSettings(BaseModel):
    """Pictures and videos, and their store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = Field(None, description="where files are kept; media in the data directory if not set")
    s3: SecretStr | None = Field(
        None, description="an S3 store to keep them in instead, as s3://KEY:SECRET@HOST:PORT/BUCKET; s3s:// for TLS"
    )
    s3_public: str | None = Field(
        None, pattern="^https?://[^/]+$", description="how clients reach that store, as https://a.example, if otherwise"
    )
    max_bytes: int = Field(10_000_000, ge=1024, le=1 << 30, description="longest file; longer ones are 413")
    max_pixels: int = Field(40_000_000, ge=10_000, description="pixels of the largest picture that is decoded")
    threads: int = Field(1, ge=1, le=64, description="files that are checked at once, each in a process of its own")
    uploads_at_once: int = Field(8, ge=1, description="files in memory at once before new ones are 503")
    uploads_of_account: int = Field(2, ge=1, description="uploads of an account at once before new ones are 429")
    form_minutes: int = Field(15, ge=1, le=1440, description="how long the form for an upload is good")

    @field_validator("s3")
    @classmethod
    def _whole(cls, given: SecretStr | None) -> SecretStr | None:
        """Refused at the start and not at the first upload; the message tells nothing of the secret."""
        if given is not None and not _S3.fullmatch(given.get_secret_value()):
            raise ValueError(
                "has to be s3://KEY:SECRET@HOST:PORT/BUCKET, or s3s:// for TLS; quote /, : and @ in a part"
            )
        return given


class Settings(BaseSettings):
    """All settings. Units are in the names; bounds are checked when they are read."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=_NESTED, frozen=True, extra="forbid")

    data: Path = Field(Path("var/data"), description="the data directory")
    master_key_file: Path | None = Field(
        None, description="the master key; master.key in the data directory if not set"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    shutdown_s: float = Field(10.0, gt=0, le=300, description="seconds that a stop may take")

    cors_origins: Words = Field((), description="origins whose browsers may call the API, as https://a.example")
    trusted_proxies: Words = Field((), description="addresses or networks whose X-Forwarded-For is believed")
    metrics_from: Words = Field(
        ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
        description="addresses or networks that may read /metrics",
    )
    max_body_bytes: int = Field(65_536, ge=1024, description="longest request body; longer ones are 413")

    rate_limits: RateLimitSettings = Field(default_factory=RateLimitSettings)
    media: MediaSettings = Field(default_factory=MediaSettings)

    bcrypt_cost: int = Field(12, ge=4, le=16, description="work factor of password hashes; 12 takes about 200 ms")
    password_threads: int = Field(2, ge=1, le=64, description="threads that hash passwords, off the event loop")
    access_token_minutes: int = Field(15, ge=1, le=60, description="life of an access token")
    refresh_days: int = Field(30, ge=1, le=365, description="life of a refresh token that is not used")
    issuer: str = Field("minitwitter", min_length=1, description="`iss` of access tokens")
    token_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="signs cursors and consistency tokens; without it a key made on first start does",
    )

    partitions: int = Field(1, ge=1, le=64, description="partitions of each topic; fixed when the directory is made")
    edit_minutes: int = Field(30, ge=0, le=1440, description="how long a tweet can be edited")
    max_waiting_commands: int = Field(2000, ge=1, description="commands in hand before new ones are 503")
    consistency_wait_ms: int = Field(
        2000, ge=0, le=60_000, description="longest wait of a GET with a Consistency-Token"
    )
    max_streams: int = Field(1000, ge=1, description="open SSE and WebSocket connections before new ones are 503")
    max_connections_of_address: int = Field(200, ge=10, description="open connections of an address to each process")
    max_streams_of_account: int = Field(10, ge=1, description="open streams of an account, for each process")
    max_streams_of_address: int = Field(50, ge=1, description="open streams of an address, for each process")

    serving_batch: int = Field(
        1000, ge=1, le=50_000, description="events in one transaction of the serving read models"
    )
    analytics_turn_ms: float = Field(
        5.0, gt=0, le=1000, description="turn of sentiment, trends, rebuilds between those"
    )
    log_wal_mib: int = Field(32, ge=1, le=4096, description="write-ahead log of log.db before it is checkpointed")
    views_wal_mib: int = Field(32, ge=1, le=4096, description="write-ahead log of views.db before it is checkpointed")

    kafka_url: str | None = Field(None, description="brokers of the distributed profile, as HOST:PORT,HOST:PORT")
    postgres_url: SecretStr | None = Field(None, description="PostgreSQL of the distributed profile, postgresql://...")
    redis_url: SecretStr | None = Field(None, description="Redis of the distributed profile, redis://HOST:PORT/0")
    cassandra_url: SecretStr | None = Field(None, description="Cassandra of the distributed profile, cassandra://...")
    max_waiting_records: int = Field(
        10_000, ge=1, description="records that wait for Kafka in the outbox before commands are 503"
    )
    cassandra_replicas: int = Field(1, ge=1, le=7, description="copies of each row, when `migrate` makes the keyspace")
    worker_batch: int = Field(500, ge=1, le=10_000, description="records a batch of a worker")
    worker_session_s: float = Field(
        10.0, ge=1, le=300, description="seconds after which a worker that is silent loses its partitions"
    )
    topic_partitions: int = Field(
        16, ge=1, le=1024, description="partitions of each Kafka topic; fixed when the topics are made"
    )
    topic_prefix: str = Field(
        "", pattern=r"[a-zA-Z0-9._-]*", max_length=100, description="stands before the names of Kafka topics"
    )

    @field_validator("trusted_proxies", "metrics_from")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for entry in given:
            try:
                ip_network(entry, strict=False)
            except ValueError:
                raise ValueError(f"{entry!r} is no IP address or network, as 10.0.0.7 or 10.0.0.0/8") from None
        return given

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for entry in given:
            if entry != "*" and not _ORIGIN.fullmatch(entry):
                raise ValueError(f"{entry!r} is no origin, as https://a.example, without a path")
        return given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the values that `load` merged, and no other source."""
        return (init_settings,)


class Origin(NamedTuple):
    """One value in force: its dotted name, its value (secrets masked), and its origin."""

    name: str
    value: Any
    origin: str
    description: str


class LoadedSettings(NamedTuple):
    """The settings, and the origin of each."""

    settings: Settings
    origins: list[Origin]


def load(options: Mapping[str, Any] | None = None, config: Path | None = None) -> LoadedSettings:
    """Read the settings. `options` are those of the command line; None means not given. Raises BadSettings."""
    given = {name: value for name, value in (options or {}).items() if value is not None}
    env = _environment()
    data = Path(given.get("data") or env.get("data") or Settings.model_fields["data"].default)
    path = config or data / "minitwitter.toml"
    sources = [("command line", given), ("environment", env), (str(path), _file(path, required=config is not None))]
    merged: dict[str, Any] = {}
    for _, values in reversed(sources):
        merged = _over(merged, values)
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        raise BadSettings(_explain(error, sources)) from None
    return LoadedSettings(settings, list(_origins(Settings, settings, sources)))


def _environment() -> dict[str, Any]:
    known = [PREFIX + name.replace(".", _NESTED).upper() for name in _names(Settings)]
    for name in os.environ:
        if name.upper().startswith(PREFIX) and not name.upper().startswith(_OTHERS) and name.upper() not in known:
            raise BadSettings(f"environment: {name} is no setting{_hint(name.upper(), known)}")
    return EnvSettingsSource(Settings)()


def _file(path: Path, *, required: bool) -> dict[str, Any]:
    if not required and not path.exists():
        return {}
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{path} is not TOML: {error}") from None


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `above` over `below`, table by table."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        merged[name] = _over(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def _hint(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else "; `minitwitter settings` lists them"


def _where(name: str, sources: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    for origin, values in sources:
        found: Any = values
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is not None:
            return origin
    return "default"


def _explain(error: ValidationError, sources: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        name = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int))
        if problem["type"] == "extra_forbidden":
            lines.append(f"{_where(name, sources)}: {name} is no setting{_hint(name, list(_names(Settings)))}")
        else:
            lines.append(f"{_where(name, sources)}: {name}: {problem['msg']}")
    return "; ".join(lines)


def _origins(
    model: type[BaseModel], values: BaseModel, sources: Sequence[tuple[str, Mapping[str, Any]]], prefix: str = ""
) -> Iterator[Origin]:
    for name, field in model.model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel):
            yield from _origins(type(value), value, sources, f"{prefix}{name}.")
            continue
        shown = "********" if isinstance(value, SecretStr) else str(value) if isinstance(value, Path) else value
        yield Origin(prefix + name, shown, _where(prefix + name, sources), field.description or "")
