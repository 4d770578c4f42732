"""The object store on any S3 server, through the `minio` client. Its calls block, so they run in threads.

Signing needs no call: the client is given the region, so it need not ask for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from minio import Minio
from minio.datatypes import PostPolicy
from minio.error import MinioException, S3Error
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from events.calls import called
from events.ids import Millis

from ..objects import HOUR_MS, Upload, hour_of
from ..sink import StoreUnavailable

T = TypeVar("T")

REGION = "us-east-1"
THREADS = 8
_MISSING = frozenset(("NoSuchKey",))
_NO_BUCKET = frozenset(("NoSuchBucket",))
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


class BadAddress(ValueError):
    """The address of an S3 store is invalid."""


class Location(NamedTuple):
    """The address of an S3 store: s3://KEY:SECRET@HOST:PORT/BUCKET?region=..., or s3s:// for TLS."""

    endpoint: str
    secure: bool
    access_key: str
    secret_key: str
    bucket: str
    region: str

    @classmethod
    def parse(cls, address: str) -> Location:
        """Parse an address and decode its percent escapes. Raises BadAddress, whose message has no secret."""
        parts = urlsplit(address)
        bucket = parts.path.strip("/")
        if parts.scheme not in ("s3", "s3s") or not (parts.hostname and parts.username and parts.password and bucket):
            raise BadAddress("an S3 store is given as s3://KEY:SECRET@HOST:PORT/BUCKET, or s3s:// for TLS")
        endpoint = parts.netloc.rpartition("@")[2]
        region = parse_qs(parts.query).get("region", [REGION])[0]
        return cls(endpoint, parts.scheme == "s3s", unquote(parts.username), unquote(parts.password), bucket, region)


class S3Objects:
    """The Objects port. `public` is the endpoint for clients, if it differs from the server's."""

    def __init__(self, location: Location, *, timeout_s: float = 10.0, public: str | None = None) -> None:
        self._bucket = location.bucket
        self._client = _client(location, timeout_s)
        clients = urlsplit(public or f"http{'s' * location.secure}://{location.endpoint}")
        seen = location._replace(endpoint=clients.netloc, secure=clients.scheme == "https")
        self._signing = _client(seen, timeout_s)
        self._form = f"{clients.scheme}://{clients.netloc}/{location.bucket}"
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")

    def upload(self, key: str, content_type: str, most_bytes: int, until: Millis) -> Upload:
        """Return a form that puts one object, with S3's own POST policy."""
        policy = PostPolicy(self._bucket, datetime.fromtimestamp(until / 1000, UTC))
        policy.add_equals_condition("key", key)
        policy.add_equals_condition("Content-Type", content_type)
        policy.add_content_length_range_condition(1, most_bytes)
        signed = self._signing.presigned_post_policy(policy)
        return Upload(self._form, {"key": key, "Content-Type": content_type, **signed})

    def link(self, key: str, now: Millis) -> str:
        """Return an address that is valid for one to two hours."""
        return self._signing.presigned_get_object(
            self._bucket,
            key,
            expires=timedelta(milliseconds=2 * HOUR_MS),
            request_date=datetime.fromtimestamp(hour_of(now) / 1000, UTC),
        )

    async def write(self, key: str, content_type: str, content: bytes) -> None:
        """Write an object."""

        def work() -> None:
            self._client.put_object(
                self._bucket, key, BytesIO(content), len(content), content_type=content_type, metadata=dict(_FOR_EVER)
            )

        await self._run(work)

    async def read(self, key: str, most_bytes: int) -> bytes | None:
        """Return the bytes of an object; None if it does not exist or is too long."""

        def work() -> bytes | None:
            try:
                response = self._client.get_object(self._bucket, key)
            except S3Error as error:
                if error.code in _MISSING:
                    return None
                raise
            try:
                content = response.read(most_bytes + 1)
            finally:
                response.close()
                response.release_conn()
            return content if len(content) <= most_bytes else None

        return await self._run(work)

    async def delete(self, key: str) -> None:
        """Remove an object. S3 gives the same answer if it does not exist."""
        await self._run(lambda: self._client.remove_object(self._bucket, key))

    async def prepare(self) -> None:
        """Create the bucket, unless it exists. Raises StoreUnavailable."""

        def work() -> None:
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket)

        await self._run(work)

    async def _run(self, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except (MinioException, HTTPError, OSError) as error:
            called("s3", started, answered=False)
            raise StoreUnavailable(f"the S3 store: {self._told(error)}") from error
        called("s3", started, answered=True)
        return result

    def _told(self, error: Exception) -> str:
        """Return the reason of an error, without the request's ids, which nobody can look up."""
        if not isinstance(error, S3Error):
            return str(error)
        if error.code in _NO_BUCKET:
            return f"it has no bucket {self._bucket!r}; `minitwitter serve command` makes it when it starts"
        return f"{error.code}: {error.message}"

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _client(location: Location, timeout_s: float) -> Minio:
    # One retry, for a pooled connection that the server has closed.
    http = PoolManager(
        maxsize=THREADS, timeout=Timeout(connect=2.0, read=timeout_s), retries=Retry(total=1, backoff_factor=0.1)
    )
    return Minio(
        location.endpoint,
        access_key=location.access_key,
        secret_key=location.secret_key,
        secure=location.secure,
        region=location.region,
        http_client=http,
    )
