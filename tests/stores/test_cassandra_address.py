"""Addresses of Cassandra clusters."""

from __future__ import annotations

import pytest

from stores.cassandra.address import Address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("cassandra://127.0.0.1:9042/", Address((("127.0.0.1", 9042),))),
        ("cassandra://one", Address((("one", 9042),))),
        (
            "cassandra://one:1,two/views?datacenter=dc1",
            Address((("one", 1), ("two", 9042)), "views", "dc1"),
        ),
        ("cassandra://ada:p%40ss@[::1]:9142/v", Address((("::1", 9142),), "v", user="ada", password="p@ss")),
    ],
)
def test_an_address_is_read_from_its_url(url: str, address: Address) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://one/",
        "cassandra://",
        "cassandra://one:port/",
        "cassandra://one,/",
        "cassandra://one/Views",
        "cassandra://one/a-b",
        "cassandra://one/views?dc=1",
        "cassandra://ada:secret@one:x/",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"looks like|name of a keyspace") as refused:
        Address.parse(url)
    assert "secret" not in str(refused.value)
