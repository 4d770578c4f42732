"""The address of a cluster: cassandra://[user:password@]host[:port],host[:port]/[keyspace][?datacenter=name]."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

_URL = re.compile(
    r"cassandra://(?:(?P<user>[^:@/]+):(?P<password>[^@/]*)@)?(?P<hosts>[^/?@]+)/?(?P<keyspace>\w*)(?:\?(?P<options>.*))?"
)
_HOST = re.compile(r"(?P<name>[\w.-]+|\[[0-9a-fA-F:]+\])(?::(?P<port>\d{1,5}))?")
_KEYSPACE = re.compile(r"[a-z][a-z0-9_]{0,47}")
DEFAULT_PORT = 9042
_LAST_PORT = 65535
DEFAULT_DATACENTER = "datacenter1"
DEFAULT_KEYSPACE = "minitwitter"


@dataclass(frozen=True, slots=True)
class Address:
    """A cluster: some of its nodes, our datacenter, and our keyspace."""

    hosts: tuple[tuple[str, int], ...]
    keyspace: str = DEFAULT_KEYSPACE
    datacenter: str = DEFAULT_DATACENTER
    user: str | None = None
    password: str = ""

    def __post_init__(self) -> None:
        checked(self.keyspace)

    @classmethod
    def parse(cls, url: str) -> Address:
        """Parse a URL. Raises ValueError, whose message does not have the password."""
        found = _URL.fullmatch(url)
        hosts = [_HOST.fullmatch(host) for host in found["hosts"].split(",")] if found else [None]
        options = dict(parse_qsl(found["options"] or "")) if found else {}
        if (
            found is None
            or not all(host and 0 < int(host["port"] or DEFAULT_PORT) <= _LAST_PORT for host in hosts)
            or options.keys() - {"datacenter"}
        ):
            raise ValueError("it looks like cassandra://host:9042,host:9042/keyspace?datacenter=datacenter1")
        return cls(
            tuple((host["name"].strip("[]"), int(host["port"] or DEFAULT_PORT)) for host in hosts if host),
            found["keyspace"] or DEFAULT_KEYSPACE,
            options.get("datacenter", DEFAULT_DATACENTER),
            unquote(found["user"]) if found["user"] else None,
            unquote(found["password"] or ""),
        )


def checked(keyspace: str) -> str:
    """Return the name of a keyspace if it is valid in a statement. Raises ValueError otherwise."""
    if not _KEYSPACE.fullmatch(keyspace):
        raise ValueError(f"not the name of a keyspace: {keyspace!r}; lower-case letters, digits and _, 48 at most")
    return keyspace
