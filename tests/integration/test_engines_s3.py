"""The S3 store of one machine: it asks for credentials, and keeps what it took."""

import io
from urllib.parse import urlsplit

import pytest
from minio import Minio
from minio.error import S3Error

from infra.local.engine import EngineError
from infra.local.running import Running
from infra.local.s3 import S3

pytestmark = [pytest.mark.engines, pytest.mark.slow]


def client(url: str, secret: str | None = None) -> Minio:
    parts = urlsplit(url)
    return Minio(f"{parts.hostname}:{parts.port}", parts.username, secret or parts.password, secure=False)


def test_who_has_not_the_secret_is_refused(s3: str) -> None:
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        client(s3, "another secret").list_buckets()


def test_there_is_room_for_many_buckets(s3: str) -> None:
    store = client(s3)
    for number in range(12):
        store.make_bucket(f"many-{number}")
        store.put_object(f"many-{number}", "object", io.BytesIO(b"text"), 4)
        assert store.stat_object(f"many-{number}", "object").size == 4


def test_what_it_took_is_there_after_a_kill(running: Running) -> None:
    store = client(running.up(S3()).url)
    store.make_bucket("kept")
    store.put_object("kept", "object", io.BytesIO(b"text"), 4)
    running.kill("s3")
    running.up(S3())
    with store.get_object("kept", "object") as answer:
        assert answer.data == b"text"
    store.put_object("kept", "another", io.BytesIO(b"text"), 4)


def test_there_is_only_one_server_of_it(running: Running) -> None:
    with pytest.raises(EngineError, match="one S3 server"):
        running.up(S3(), servers=2)
