import os
import shutil
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from command_api.signing_keys import SigningKeys
from events.ids import HybridClock
from runtime.embedded.log_db import LogDb
from tests.distributed_profile import Ground
from tests.scenarios.people import Person, join
from tests.scenarios.profiles import DistributedService, on_engines
from tests.scenarios.service import KEEP_MS, Service, StandingClock, opened


@pytest.fixture(scope="session", autouse=True)
def _keys_read_once() -> Iterator[None]:
    """Read the signing key once for all services: reading takes 70 ms, because the key is checked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization, "load_pem_private_key", cache(serialization.load_pem_private_key))
        yield


@pytest.fixture(scope="session")
def one_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a signing key; generating a key takes a tenth of a second."""
    directory = tmp_path_factory.mktemp("keys")
    SigningKeys(directory, HybridClock(StandingClock()), KEEP_MS)
    return directory


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Return a temporary directory, in memory on Linux if there is room: the disk's speed is not tested here."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings that differ from the defaults; tests parametrize it."""
    return {}


@pytest.fixture
def profile() -> str:
    """Return the profile of the service: `both_profiles` (profiles.py) runs a test file on both."""
    return "embedded"


@pytest.fixture(scope="session")
def ground(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str, cassandra: str, redis: str
) -> Iterator[Ground]:
    engines = {"kafka": kafka, "postgres": postgres, "cassandra": cassandra, "redis": redis}
    ground = Ground(tmp_path_factory.mktemp("ground"), engines)
    yield ground
    ground.drop()


@pytest.fixture
async def service(
    request: pytest.FixtureRequest,
    profile: str,
    tmp_path: Path,
    clock: StandingClock,
    one_key: Path,
    settings: dict[str, Any],
) -> AsyncIterator[Service | DistributedService]:
    if profile == "distributed":
        async with on_engines(request.getfixturevalue("ground"), tmp_path, clock, **settings) as distributed:
            yield distributed
        return
    log = LogDb(tmp_path, ids=HybridClock(clock))  # keys without a log would belong to a lost log
    await log.close()
    shutil.copytree(one_key, tmp_path / "signing-keys")
    async with opened(tmp_path, clock, **settings) as service:
        yield service


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with service.client() as client:
        yield client


@pytest.fixture
async def ada(http: httpx.AsyncClient) -> Person:
    return await join(http, "ada")


@pytest.fixture
async def bob(http: httpx.AsyncClient) -> Person:
    return await join(http, "bob")


@pytest.fixture
async def cyd(http: httpx.AsyncClient) -> Person:
    return await join(http, "cyd")
