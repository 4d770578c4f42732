"""Client addresses: the peer's, or, behind trusted proxies, the address that the proxies name.

Any client can send `X-Forwarded-For`. Addresses in it are used only if they are well-formed and a trusted proxy added
them. Otherwise the address of the proxy that sent the text is used, so that no client's text opens a new budget.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

MOST_HOPS = 20
"""The number of entries that are read from the right; no chain of proxies is as long."""
_WITH_PORT = re.compile(r"(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([0-9A-Fa-f:.]{2,45})\]):\d{1,5}")
"""Some gateways add the client's port."""
_PREFIX = 64
"""The bits of an IPv6 address that name a network; a client can choose the others."""

Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]


@lru_cache(4096)
def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address with or without a port; None for any other text. IPv4-mapped IPv6 becomes IPv4."""
    with_port = _WITH_PORT.fullmatch(text)
    if with_port is not None:
        text = with_port[1] or with_port[2]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


@lru_cache(4096)
def network_of(address: str) -> str:
    """Return the key of an address for limits: an IPv4 address itself, the /64 network of an IPv6 address."""
    parsed = address_of(address)
    if not isinstance(parsed, IPv6Address):
        return address
    return f"{IPv6Address(int(parsed) >> (128 - _PREFIX) << (128 - _PREFIX))}/{_PREFIX}"


@lru_cache(4096)
def _canonical(peer: str) -> str:
    """Return the address of a peer as one text; a peer without an address as it is."""
    return str(address_of(peer) or peer)


def networks_of(entries: Sequence[str]) -> Networks:
    """Parse addresses and networks of the settings. Raises ValueError."""
    return tuple(ipaddress.ip_network(entry, strict=False) for entry in entries)


def is_in(networks: Networks, text: str) -> bool:
    """Return whether the text is an address in one of the networks."""
    address = address_of(text)
    return address is not None and any(address in network for network in networks)


def address_reader(trusted: Sequence[str]) -> Callable[[Mapping[str, Any], Mapping[bytes, bytes]], str]:
    """Return a function that reads the client's address, behind trusted proxies from `X-Forwarded-For`."""
    networks = networks_of(trusted)

    def read(scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
        client = scope.get("client")
        address = _canonical(client[0] if client else "")
        forwarded = headers.get(b"x-forwarded-for") if networks else None
        if forwarded is None or not is_in(networks, address):
            return address
        for hop in reversed(forwarded.decode("latin-1").rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
            named = address_of(hop.strip(" \t"))
            if named is None:
                break
            address = str(named)
            if not is_in(networks, address):
                break
        return address

    return read
