"""The blocks of docs/how-to/run-the-processes.md that set up a terminal, pasted; the engines are the test's."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from stores.cassandra.address import Address
from tests.docs.pages import ROOT, blocks
from tests.integration.installation import Installation
from tests.stores.on_cassandra import drop

pytestmark = [pytest.mark.engines, pytest.mark.slow]

STUB = """#!/bin/sh
# `minitwitter`, but for the engines, which run already.
if [ "$1" = engines ]; then cat "$ENGINES"; else exec {python} -m runtime.cli "$@"; fi
"""
Terminal = tuple[Callable[..., str], Installation]
"""Runs lines in a new shell and returns their output; the installation that they are for."""
TOOK_OVER = (
    'test -n "$MINITWITTER_KAFKA_URL" && minitwitter settings | grep -E "^(kafka_url|media.s3|master_key_file) "'
)


@pytest.fixture
def terminal(tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str, s3: str) -> Iterator[Terminal]:
    """Run lines in a new shell and return their output."""
    made = Installation(tmp_path, kafka, postgres)  # a database and a prefix of the test's own
    keyspace = f"{cassandra.rstrip('/')}/pasted_{uuid.uuid4().hex[:12]}"
    (tmp_path / "engines").write_text(
        f"MINITWITTER_KAFKA_URL={kafka}\nMINITWITTER_CASSANDRA_URL={keyspace}\nMINITWITTER_REDIS_URL={redis}\n"
        f"MINITWITTER_POSTGRES_URL='{made.url}'\nMINITWITTER_MEDIA__S3={s3}media\n"
    )
    stub = tmp_path / "bin" / "minitwitter"
    stub.parent.mkdir()
    stub.write_text(STUB.format(python=sys.executable))
    stub.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MINITWITTER_")},
        "PATH": f"{stub.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ENGINES": str(tmp_path / "engines"),
        "MINITWITTER_TOPIC_PREFIX": made.prefix,
        "MINITWITTER_TOPIC_PARTITIONS": "4",
    }

    def run(*lines: str) -> str:
        script = "\n".join(("set -e", *lines))
        done = subprocess.run(
            ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=85
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    yield run, made
    drop(Address.parse(keyspace))


def test_the_block_that_sets_up_works_as_pasted_and_so_does_another_terminal(
    terminal: Terminal, kafka: str, s3: str
) -> None:
    run, made = terminal
    page = ROOT / "docs" / "how-to" / "run-the-processes.md"
    first, other = [block.lines for block in blocks(page) if block.language == "text"][:2]
    for lines in (first, other):
        printed = run(*lines, TOOK_OVER)
        assert kafka in printed
        assert "media.s3" in printed
        assert str(made.directory / "master.key") in printed
    with psycopg.connect(made.url) as connection:
        [(applied,)] = connection.execute("SELECT count(*) FROM migrations").fetchall()
    assert applied
