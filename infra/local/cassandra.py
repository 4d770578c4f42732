"""Cassandra: one node that is its own seed. The configuration is complete, because the jar contains none.

Maven fetches the jars (67 MB), which need Java 17 exactly. A fresh node answers after 4-5 s. Its commit log is synced
before a write is acknowledged: with the default, `periodic`, 4,601 of 5,000 acknowledged rows were left after a kill
-9.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from .engine import EngineError, EngineProcess, LocalEngine
from .packages import jars, java

_CASSANDRA = "org.apache.cassandra:cassandra-all"

_SETTINGS = """\
cluster_name: minitwitter
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
storage_compatibility_mode: NONE
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:{storage}"
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: {storage}
native_transport_port: {native}
data_file_directories: [{home}/data]
commitlog_directory: {home}/commitlog
saved_caches_directory: {home}/saved_caches
hints_directory: {home}/hints
cdc_raw_directory: {home}/cdc_raw
# An acknowledged write is on disk; those that come during a sync share the next one. With `group` they wait for the end
# of its window, and the partitions of a batch one after the other.
commitlog_sync: batch
# A write keeps its thread until it is synced: 32 threads, as it comes, are too few.
concurrent_writes: 128
commitlog_segment_size: 8MiB
commitlog_total_space: 512MiB
memtable_heap_space: 192MiB
memtable_offheap_space: 64MiB
memtable_allocation_type: heap_buffers
memtable_flush_writers: 1
# Slow and steady: compaction has the cores of everything else.
compaction_throughput: 4MiB/s
concurrent_compactors: 1
file_cache_size: 32MiB
networking_cache_size: 16MiB
key_cache_size: 8MiB
counter_cache_size: 0MiB
auto_snapshot: false
hinted_handoff_enabled: false
"""

_LOGBACK = """\
<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %-5level %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="OUT"/></root>
</configuration>
"""

_OPEN = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.ref",
    "java.base/java.lang.reflect",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
)
_EXPORTED = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/java.lang.ref",
    "java.base/java.lang.reflect",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.unsupported/sun.misc",
)
"""The packages that its own jvm17-server.options opens: it accesses memory and files through JDK internals."""

_OPTIONS = (
    # An empty keyspace of ours takes 18 MB of heap, and tests have dozens: 512 MB were too few.
    "-Xms256m",
    "-Xmx1g",
    "-XX:+UseParallelGC",  # on two cores and a small heap it uses a tenth of a core less than G1
    "-XX:+PerfDisableSharedMem",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djna.nosys=true",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dchronicle.analytics.disable=true",
    "-Dcassandra-foreground=yes",
    # A single node need not wait for others.
    "-Dcassandra.ring_delay_ms=0",
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
)
"""No JMX options: com.sun.management.jmxremote=false would open a port on every address; without options
there is none.
"""

_OPTIONS_FRAME = bytes((4, 0, 0, 0, 5, 0, 0, 0, 0))
_SUPPORTED = 6


class Cassandra(LocalEngine):
    """One node."""

    name: ClassVar[str] = "cassandra"
    version: ClassVar[str] = "5.0.9"
    ports: ClassVar[tuple[str, ...]] = ("native", "storage")
    memory_mib: ClassVar[int] = 1500

    def install(self, cache: Path) -> None:
        """Find Java 17, and fetch the jars. Raises EngineError."""
        java(at_most=17)
        self._jars(cache)

    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
        """Write the node's configuration files. Raises EngineError for more than one node."""
        if len(ports) != 1:
            raise EngineError("cassandra runs as one node here: several would need an address each")
        (own,) = ports
        home = directory / "cassandra-0"
        home.mkdir(parents=True, exist_ok=True)
        settings, logging = home / "cassandra.yaml", home / "logback.xml"
        settings.write_text(_SETTINGS.format(home=home, **own))
        logging.write_text(_LOGBACK)
        modules = [f"--add-opens={place}=ALL-UNNAMED" for place in _OPEN]
        modules += [f"--add-exports={place}=ALL-UNNAMED" for place in _EXPORTED]
        places = [
            f"-Dcassandra.config=file:{settings}",
            f"-Dcassandra.storagedir={home}",
            f"-Dcassandra.logdir={home}",
            f"-Dlogback.configurationFile={logging}",
        ]
        argv = [java(at_most=17), *_OPTIONS, *modules, *places, "-cp", f"{self._jars(cache)}/*"]
        argv.append("org.apache.cassandra.service.CassandraDaemon")
        return [EngineProcess(home.name, argv, home, _answers(own["native"]), start_s=120.0)]

    def url(self, ports: Sequence[Mapping[str, int]]) -> str:
        """Return the address for clients."""
        return f"cassandra://127.0.0.1:{ports[0]['native']}/"

    def _jars(self, cache: Path) -> Path:
        return jars(cache, self.name, [f"{_CASSANDRA}:{self.version}"])


def _answers(port: int) -> Callable[[], bool]:
    """Return whether the node answers in the native protocol: the port opens before it takes queries."""

    def ready() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(_OPTIONS_FRAME)
            header = connection.recv(9)
            return len(header) == 9 and header[4] == _SUPPORTED

    return ready
