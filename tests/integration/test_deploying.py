"""Two versions of the software side by side: the permitted order of a deploy, and refused ones."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.integration.installation import SOON, Installation, Started, installed, ready, register

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.long]

NEWER = """
import dataclasses, sys
from events import codec, event, upcasters
from events.tweets import TweetDeleted

newer = dataclasses.replace(event.BY_CLASS[TweetDeleted], version=2)
event.BY_CLASS[TweetDeleted] = event.BY_NAME["TweetDeleted"] = newer
upcasters.upcasts("TweetDeleted", since=1)(lambda fields: fields)
from runtime.cli import main
main()
"""
"""The command line of a future version, in which TweetDeleted has other fields."""


class Deploying(Installation):
    """An installation whose processes are of one version or of the next."""

    def newer(self, *words: str) -> AbstractContextManager[tuple[Started, httpx.Client]]:
        """A process of the next version, and a client of it."""
        return self.process(*words, argv=(sys.executable, "-c", NEWER))


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str) -> Iterator[Deploying]:
    with installed(tmp_path, kafka, postgres, cassandra, redis, kind=Deploying) as made:
        assert isinstance(made, Deploying)
        yield made


def says(client: httpx.Client, text: str) -> None:
    """Wait until the process says so at /readyz, and is not ready."""
    deadline, told = time.monotonic() + SOON, "nothing"
    while True:
        try:
            answer = client.get("/readyz")
            told = answer.text
            if text in told:
                assert answer.status_code == 503
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


@contextmanager
def working(
    process: AbstractContextManager[tuple[Started, httpx.Client]],
) -> Iterator[tuple[Started, httpx.Client]]:
    """A process that is ready."""
    with process as (running, client):
        ready(running, client)
        yield running, client


def test_a_deploy_writes_nothing_that_a_process_of_the_version_before_cannot_read(installation: Deploying) -> None:
    query = ("serve", "query")
    with working(installation.process("serve", "command")) as (_, before):
        with working(installation.process(*query)), installation.newer("serve", "command") as (_, after):
            says(after, "TweetDeleted version 2")
            register(before, "ada")  # those of the version before go on deciding
        with working(installation.newer(*query)), working(installation.newer("serve", "command")) as (_, after):
            register(after, "bob")
            register(before, "cleo")
            late = installation.command(*query, "--port", "0")
            assert late.returncode == 4
            assert "the log may hold TweetDeleted version 2" in late.stderr
