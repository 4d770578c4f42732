"""Limits the connections of one address, and raises the process's limit on open files.

The server does not count connections by address, and passes a connection on only after it has read a request. So this
module lists the process's own sockets once a second and closes those of an address beyond its share. Listing takes
about 4 us a socket, in a thread.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from rest.addresses import address_of, is_in, network_of, networks_of

LOOK_S = 1.0
ENOUGH_FILES = 65_536
"""The soft limit on open files is raised to this number, if the hard limit allows it: each connection is a file."""
_FILES = Path("/proc/self/fd")


def raise_file_limit() -> None:
    """Raise the soft limit on open files: shells start programs with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Connections:
    """Limits the connections to one port of this process: at most `share` per address. Addresses in `trusted` have no
    limit.
    """

    def __init__(self, port: int, share: int, trusted: Sequence[str]) -> None:
        self._port = port
        self._share = share
        self._trusted = networks_of(trusted)

    async def watch(self) -> None:
        """Check once a second until cancelled. Without /proc (macOS) nothing is checked, and there is no limit."""
        while await asyncio.to_thread(_FILES.is_dir):
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def look(self) -> int:
        """Close the connections beyond each address's share, the newest first; return how many were closed."""
        by_network: dict[str, list[int]] = defaultdict(list)
        files = sorted(_open_files())
        if len(files) <= self._share:
            return 0
        for file in files:
            peer = _peer(file, self._port)
            if peer is not None and not is_in(self._trusted, peer):
                by_network[network_of(str(address_of(peer)))].append(file)
        ended = 0
        for network, own in by_network.items():
            for file in own[self._share :]:
                ended += _end(file, self._port, network)
        return ended


def _open_files() -> Iterator[int]:
    try:
        names = os.listdir(_FILES)  # noqa: PTH208  only names, of thousands
    except OSError:  # the process has no free file descriptor, or the system has no /proc
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield from range(3, min(soft, ENOUGH_FILES))
        return
    yield from map(int, names)


def _peer(file: int, port: int) -> str | None:
    """Return the remote address of a connection to `port`; None for any other file."""
    try:
        connection = socket.socket(fileno=file)
    except OSError:
        return None
    try:
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.getsockname()[1] != port:
            return None
        peer: str = connection.getpeername()[0]
        return peer
    except OSError:  # a listening socket, or closed meanwhile
        return None
    finally:
        connection.detach()  # the server owns it


def _end(file: int, port: int, network: str) -> bool:
    """Close a connection if the file descriptor still belongs to that network: the number may have been reused."""
    peer = _peer(file, port)
    if peer is None or network_of(str(address_of(peer))) != network:
        return False
    connection = socket.socket(fileno=file)
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False
    finally:
        connection.detach()
    return True
