"""The address of a client: no text that the client sends opens a new budget."""

from __future__ import annotations

import pytest

from rest.addresses import address_of, address_reader, network_of

PROXY = "10.0.0.7"


def told(forwarded: str | None, *, peer: str = PROXY, trusted: tuple[str, ...] = ("10.0.0.0/8", "::1")) -> str:
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode("latin-1")}
    return address_reader(trusted)({"client": (peer, 1)}, headers)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (None, PROXY),
        ("9.9.9.9", "9.9.9.9"),
        ("1.1.1.1, 9.9.9.9", "9.9.9.9"),
        ("9.9.9.9, 10.1.2.3", "9.9.9.9"),
        ("9.9.9.9\t,10.1.2.3", "9.9.9.9"),
        ("::ffff:9.9.9.9", "9.9.9.9"),
        ("8.8.8.8:1001", "8.8.8.8"),
        ("[2001:db8::1]:1001", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("9.9.9.9, ::ffff:10.0.0.9", "9.9.9.9"),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy_counts(forwarded: str | None, address: str) -> None:
    assert told(forwarded) == address


@pytest.mark.parametrize(
    "junk",
    ["<script>", "", " ", "unknown", "9.9.9", "9.9.9.9.9", "9.9.9.9:", "9.9.9.9:port", "09.9.9.9", "fe80::1%eth0",
     "0x9", "9.9.9.9/32", "::1::", "[::1", "localhost", "\u00b2.1.1.1", "9.9.9.9 9.9.9.8", "1.1.1.1, "],
)  # fmt: skip
def test_what_is_no_address_falls_back_to_the_proxy_that_sent_it(junk: str) -> None:
    assert told(junk) == PROXY
    assert told(f"{junk}, 10.1.2.3") == "10.1.2.3"
    assert told(f"1.1.1.1, {junk}, 9.9.9.9") == "9.9.9.9"


def test_nobody_but_a_trusted_proxy_is_believed() -> None:
    assert told("9.9.9.9", peer="203.0.113.1") == "203.0.113.1"
    assert told("9.9.9.9", trusted=()) == PROXY
    assert told("9.9.9.9", peer="::ffff:10.0.0.1") == "9.9.9.9"
    assert told(None, peer="::ffff:203.0.113.1") == "203.0.113.1"


def test_a_long_chain_is_followed_for_a_bounded_way() -> None:
    assert told(", ".join(["9.9.9.9", *["10.0.0.1"] * 5000])) == "10.0.0.1"


def test_a_network_of_ipv6_has_one_budget_and_an_address_of_ipv4_its_own() -> None:
    assert {network_of(f"2001:db8:1:2::{n:x}") for n in range(100)} == {"2001:db8:1:2::/64"}
    assert network_of("2001:db8:1:3::1") == "2001:db8:1:3::/64"
    assert network_of("9.9.9.9") == "9.9.9.9"
    assert network_of("") == ""
    assert str(address_of("::ffff:9.9.9.9")) == "9.9.9.9"
