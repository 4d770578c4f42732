"""Engines in containers for tests, where a container engine answers: those of docker-compose.yml, on other ports.

So that what users run is what tests run against. tests/engines.py decides where engines come from.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from infra.local.running import free_ports

if TYPE_CHECKING:
    from testcontainers.compose import DockerCompose

ROOT = Path(__file__).resolve().parents[1]
SECRET = "only-for-tests"
URLS = {
    "kafka": "127.0.0.1:{KAFKA_PORT}",
    "cassandra": "cassandra://127.0.0.1:{CASSANDRA_PORT}/",
    "redis": "redis://127.0.0.1:{REDIS_PORT}/0",
    "postgres": "postgresql://minitwitter:{POSTGRES_PASSWORD}@127.0.0.1:{POSTGRES_PORT}/minitwitter",
    "s3": "s3://{S3_ACCESS_KEY}:{S3_SECRET_KEY}@127.0.0.1:{S3_PORT}/",
}


@cache
def answer() -> bool:
    """Whether there are Docker and Compose, and a daemon that answers."""
    docker = shutil.which("docker")
    asked = (["compose", "version"], ["info", "--format", "{{.ID}}"])
    return docker is not None and all(
        subprocess.run([docker, *words], capture_output=True, check=False, timeout=20).returncode == 0
        for words in asked
    )


def url(name: str, directory: Path) -> str:
    """Start an engine of the run with this data directory, unless it runs, and wait until it is healthy; its URL."""
    with (directory / "compose.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of a run share the engines
        compose(directory, name).start()
        return URLS[name].format(**chosen(directory))


def end(directory: Path) -> None:
    """End the engines of a run, and remove their data."""
    if (directory / "compose.env").exists():
        compose(directory).stop()


def compose(directory: Path, *services: str) -> DockerCompose:
    """docker-compose.yml as a run has it: a project of its own."""
    from testcontainers.compose import DockerCompose

    chosen(directory)
    return DockerCompose(ROOT, env_file=str(directory / "compose.env"), services=list(services) or None)


def chosen(directory: Path) -> dict[str, str]:
    """The variables of a run, which are chosen once."""
    file = directory / "compose.env"
    if not file.exists():
        example = dict(
            line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"
        )
        ports = iter(free_ports(len(example)))
        made = {
            name: str(next(ports)) if name.endswith("_PORT") else value or SECRET for name, value in example.items()
        }
        made["COMPOSE_PROJECT_NAME"] = directory.name
        file.write_text("".join(f"{name}={value}\n" for name, value in made.items()))
    return dict(line.split("=", 1) for line in file.read_text().splitlines())
