"""What is no address of an engine is refused before anything is opened, and not repeated: it may have a password."""

from __future__ import annotations

import pytest

from runtime.distributed.settings import check
from runtime.settings import BadSettings, Settings


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("kafka_url", "x"),
        ("kafka_url", "h:99999"),
        ("kafka_url", "h:9092,"),
        ("postgres_url", "hidden"),
        ("postgres_url", ""),
        ("cassandra_url", "hidden"),
        ("cassandra_url", "cassandra://h/ks?foo=1"),
        ("cassandra_url", "cassandra://h:99999/ks"),
        ("redis_url", ":::"),
        ("redis_url", "http://hidden"),
    ],
)
def test_what_is_no_address_is_refused_in_one_line(name: str, url: str) -> None:
    with pytest.raises(BadSettings, match=f"^{name}: it looks like ") as refused:
        check(Settings.model_validate({name: url}), name)
    assert "hidden" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("kafka_url", "kafka://127.0.0.1:9092"),
        ("kafka_url", "kafka-1.example.org:9092,[::1]:9092"),
        ("postgres_url", "postgresql://a:b@h:5432/db?sslmode=require"),
        ("postgres_url", "host=/run/postgresql dbname=minitwitter"),
        ("cassandra_url", "cassandra://a:b@h1:9042,h2/ks?datacenter=west"),
        ("redis_url", "rediss://:secret@h:6379/0"),
    ],
)
def test_addresses_are_taken(name: str, url: str) -> None:
    check(Settings.model_validate({name: url}), name)
