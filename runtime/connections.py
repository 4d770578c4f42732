"""Connections: how many one address may have, and how many files the process may have open.

The server counts no connections by address, and hands none to us before it has read a request. So we look at our own
sockets once a second, and end those of an address beyond its share. A look costs about 4 us a socket, in a thread.
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
"""The soft limit is raised to this, as far as the hard one allows: a connection is a file."""
_FILES = Path("/proc/self/fd")


def raise_file_limit() -> None:
    """Raise the soft limit on open files: shells start programs with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Connections:
    """The connections to a port of this process: `share` of each address. Addresses in `trusted` have no limit."""

    def __init__(self, port: int, share: int, trusted: Sequence[str]) -> None:
        self._port = port
        self._share = share
        self._trusted = networks_of(trusted)

    async def watch(self) -> None:
        """Look until cancelled. Without /proc (macOS) there is no looking, and no limit."""
        while await asyncio.to_thread(_FILES.is_dir):
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def look(self) -> int:
        """End connections beyond the share of their address, the newest first; how many that were."""
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
    except OSError:  # no file is left to list them with, or they are not listed here
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield from range(3, min(soft, ENOUGH_FILES))
        return
    yield from map(int, names)


def _peer(file: int, port: int) -> str | None:
    """The address at the other end of a connection to `port`; None for any other file."""
    try:
        connection = socket.socket(fileno=file)
    except OSError:
        return None
    try:
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.getsockname()[1] != port:
            return None
        peer: str = connection.getpeername()[0]
        return peer
    except OSError:  # it listens, or was closed meanwhile
        return None
    finally:
        connection.detach()  # it is the server's


def _end(file: int, port: int, network: str) -> bool:
    """End a connection, if the file still is one from that network: the number may name another one by now."""
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
