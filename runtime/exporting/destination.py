"""Where an export goes: a directory, or a bucket of an S3 store. A file is there whole or not at all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from stores.sink import StoreUnavailable

_UNFINISHED = ".unfinished"
_LOCK = ".lock"


class BadDestination(ValueError):
    """The place to export to cannot be used. The message says why."""


class Destination(Protocol):
    """A place for files, by their paths."""

    def write(self, path: str, content: bytes) -> None:
        """Write a file, or replace it; durable when this returns. Raises OSError, StoreUnavailable."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if there is none. Raises OSError, StoreUnavailable."""
        ...

    def paths(self) -> Iterable[str]:
        """Return the paths of all files."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file."""
        ...

    def hold(self) -> AbstractContextManager[None]:
        """Keep other exports of this machine from the place for a while. Raises BadDestination."""
        ...


def destination(out: str) -> Destination:
    """Return the destination that `out` names: a directory, or s3://KEY:SECRET@HOST:PORT/BUCKET/PREFIX.

    Raises BadDestination.
    """
    if out.startswith(("s3://", "s3s://")):
        return _Bucket(out)
    return _Directory(Path(out))


class _Directory:
    """Files in a directory. A file is written beside its place, synced, and moved there."""

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise BadDestination(f"{root} is no directory; name one that is new, or that has an export")
        self._root = root

    def write(self, path: str, content: bytes) -> None:
        """Write a file, and create its directory."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(target.name + _UNFINISHED)
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def read(self, path: str) -> bytes | None:
        """Return the content of a file."""
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None

    def paths(self) -> Iterable[str]:
        """Return the paths of all files, relative to the directory."""
        files = [path for path in sorted(self._root.rglob("*")) if path.is_file() and path.name != _LOCK]
        return [path.relative_to(self._root).as_posix() for path in files]

    def delete(self, path: str) -> None:
        """Remove a file."""
        (self._root / path).unlink(missing_ok=True)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Lock the directory. Without this, each of two exports would remove the files of the other."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadDestination(
                    f"another export writes to {self._root}; stop it, or choose another place"
                ) from None
            yield


class _Bucket:
    """Objects in a bucket, under a prefix. The store itself shows an object only when it is whole."""

    def __init__(self, address: str) -> None:
        try:
            from minio import Minio

            from stores.s3.objects import BadAddress, Location
        except ImportError as error:
            raise BadDestination("S3 needs the package minio: make setup-distributed installs it") from error
        parts = urlsplit(address)
        bucket, _, prefix = parts.path.strip("/").partition("/")
        try:
            location = Location.parse(parts._replace(path=f"/{bucket}").geturl())
        except BadAddress as error:
            raise BadDestination(str(error)) from None
        self._bucket = location.bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = Minio(
            location.endpoint,
            access_key=location.access_key,
            secret_key=location.secret_key,
            secure=location.secure,
            region=location.region,
        )

    def write(self, path: str, content: bytes) -> None:
        """Write an object; create the bucket if it is missing."""

        def put() -> None:
            self._client.put_object(self._bucket, self._prefix + path, BytesIO(content), len(content))

        if self._asked(put) == "NoSuchBucket":
            self._asked(lambda: self._client.make_bucket(self._bucket))
            if missing := self._asked(put):
                raise StoreUnavailable(f"the S3 store refuses {path}: {missing}")

    def read(self, path: str) -> bytes | None:
        """Return the content of an object."""
        found: list[bytes] = []

        def get() -> None:
            response = self._client.get_object(self._bucket, self._prefix + path)
            try:
                found.append(response.read())
            finally:
                response.close()
                response.release_conn()

        self._asked(get)
        return found[0] if found else None

    def paths(self) -> Iterable[str]:
        """Return the names of all objects under the prefix, without it."""
        found: list[str] = []

        def ask() -> None:
            for one in self._client.list_objects(self._bucket, self._prefix, recursive=True):
                found.append(str(one.object_name).removeprefix(self._prefix))

        self._asked(ask)
        return found

    def delete(self, path: str) -> None:
        """Remove an object."""
        self._asked(lambda: self._client.remove_object(self._bucket, self._prefix + path))

    def hold(self) -> AbstractContextManager[None]:
        """Do nothing: S3 has no locks. One place is for one export at a time."""
        return nullcontext()

    def _asked(self, call: Any) -> str:
        """Make a call; return the code of what is missing, "" if nothing is. Raises StoreUnavailable."""
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError

        try:
            call()
        except S3Error as error:
            if error.code in ("NoSuchKey", "NoSuchBucket"):
                return str(error.code)
            raise StoreUnavailable(f"the S3 store refuses: {error.code}") from error
        except (MinioException, HTTPError) as error:
            raise StoreUnavailable(f"the S3 store does not answer: {type(error).__name__}") from error
        return ""
