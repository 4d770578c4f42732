"""Kafka without ZooKeeper (KRaft): one broker that is its own controller, or several that elect one.

Maven fetches the jars (44 MB). A fresh broker answers after about 3 s, a killed one after about 4 s, because its
session is short; three brokers after 8 s, with 1.05 GB together.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from confluent_kafka.admin import AdminClient

from .engine import EngineProcess, LocalEngine
from .packages import jars, java

_KAFKA = "org.apache.kafka:kafka_2.13"
_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
"""Without a logging binding the broker would log nothing."""

_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{broker}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=4
# A broker that was killed comes back after its session is over: 15 s by default, 4 s so.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
"""

_LOG4J = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""

_FORMAT_ONCE = 'test -e "$1"/meta.properties || "$2" -cp "$3" kafka.tools.StorageTool format -t "$4" -c "$5" || exit 1'
_START = f'{_FORMAT_ONCE}; shift 5; exec "$@"'
"""Format a new directory with the cluster's id, then replace the shell by the broker."""


class Kafka(LocalEngine):
    """One broker, or a cluster of several; each process is broker and controller."""

    name: ClassVar[str] = "kafka"
    version: ClassVar[str] = "4.3.1"
    ports: ClassVar[tuple[str, ...]] = ("kafka", "controller")
    memory_mib: ClassVar[int] = 400

    def install(self, cache: Path) -> None:
        """Find Java, and fetch the jars. Raises EngineError."""
        java()
        self._jars(cache)

    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
        """Write a configuration file for each broker, all with one cluster id."""
        cluster = _cluster_id(directory)
        voters = ",".join(f"{node}@127.0.0.1:{own['controller']}" for node, own in enumerate(ports, 1))
        copies = min(len(ports), 3)
        program, classes = java(), f"{self._jars(cache)}/*"
        heap = "-Xmx512m" if len(ports) == 1 else "-Xmx384m"
        planned = []
        for node, own in enumerate(ports, 1):
            home = directory / f"kafka-{node}"
            home.mkdir(parents=True, exist_ok=True)
            settings, logging, data = home / "server.properties", home / "log4j2.properties", home / "data"
            logging.write_text(_LOG4J)
            settings.write_text(
                _PROPERTIES.format(
                    node=node,
                    voters=voters,
                    broker=own["kafka"],
                    controller=own["controller"],
                    data=data,
                    copies=copies,
                    in_sync=max(1, copies - 1),
                )
            )
            options = ["-Xms256m", heap, "-XX:+UseG1GC", f"-Dlog4j2.configurationFile={logging}"]
            broker = [program, *options, "-cp", classes, "kafka.Kafka", str(settings)]
            formatting = [str(data), program, classes, cluster, str(settings)]
            argv = ["/bin/sh", "-c", _START, "kafka", *formatting, *broker]
            planned.append(EngineProcess(home.name, argv, home, _answers(own["kafka"], len(ports))))
        return planned

    def url(self, ports: Sequence[Mapping[str, int]]) -> str:
        """Return the bootstrap servers."""
        return ",".join(f"127.0.0.1:{own['kafka']}" for own in ports)

    def _jars(self, cache: Path) -> Path:
        return jars(cache, self.name, [f"{_KAFKA}:{self.version}", _LOGGING])


def _cluster_id(directory: Path) -> str:
    """Return the cluster's id; the first call creates it."""
    file = directory / "cluster.id"
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(cluster_id(os.urandom))
    return file.read_text()


def cluster_id(randomness: Callable[[int], bytes]) -> str:
    """Return 16 random bytes in Kafka's spelling. It never begins with a dash, which Kafka's tools take for
    an option.
    """
    while True:
        made = base64.urlsafe_b64encode(randomness(16)).decode().rstrip("=")
        if not made.startswith("-"):
            return made


def _answers(port: int, brokers: int) -> Callable[[], bool]:
    """Return whether a broker answers and sees all others."""

    def ready() -> bool:
        quiet: dict[str, str | int | float | bool] = {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "log_level": 0,
            "socket.timeout.ms": 2000,
        }
        return len(AdminClient(quiet).list_topics(timeout=2).brokers) == brokers

    return ready
