"""The object store in a folder, with signed addresses on our own server.

A file is written under a temporary name, made durable, and renamed, so nobody reads half a file. The signed form has
the same conditions as a presigned policy of S3: key, type, length, and expiry.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

import msgspec

from events.ids import Clock, Millis, Randomness

from ..objects import HOUR_MS, Upload, hour_of
from ..sink import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

PATH = "/media-store"
"""The path under which the server serves objects."""
_KEY = re.compile(r"[a-z0-9][a-z0-9-]*(?:/[a-z0-9][a-z0-9.-]*)*")


class FormRefused(Exception):
    """The form does not permit this upload. The message has the reason."""


class UploadPolicy(msgspec.Struct, frozen=True):
    """The conditions of a signed form. `until` is in milliseconds."""

    key: str
    content_type: str
    most_bytes: int
    until: int


class Found(NamedTuple):
    """A file to be sent, and its type."""

    path: Path
    content_type: str


class LocalObjects:
    """The Objects port. `secret` signs forms and links. The first write creates the folder."""

    def __init__(self, folder: Path, secret: bytes, clock: Clock, randomness: Randomness) -> None:
        self._folder = folder
        with suppress(OSError):  # the folder may not exist
            folder.chmod(0o700)
        self._secret = hashlib.blake2b(b"media-store", key=secret[:64]).digest()
        self._clock = clock
        self._randomness = randomness

    # Functions of the port

    def upload(self, key: str, content_type: str, most_bytes: int, until: Millis) -> Upload:
        """Return a form that puts one object."""
        policy = base64.b64encode(msgspec.json.encode(UploadPolicy(key, content_type, most_bytes, until))).decode()
        fields = {"key": key, "Content-Type": content_type, "policy": policy, "signature": self._sign(policy)}
        return Upload(PATH, fields)

    def link(self, key: str, now: Millis) -> str:
        """Return an address that is valid for one to two hours."""
        expires = hour_of(now) + 2 * HOUR_MS
        return f"{PATH}/{key}?expires={expires}&signature={self._sign(f'{key} {expires}')}"

    async def write(self, key: str, content_type: str, content: bytes) -> None:
        """Write an object. The type follows from the suffix of the key."""
        path = self._path(key)
        fresh = path.with_name(f"{self._randomness(8).hex()}.new")
        await _off_loop(_put, fresh, path, content)

    async def read(self, key: str, most_bytes: int) -> bytes | None:
        """Return the bytes of an object; None if it does not exist or is too long."""
        return await _off_loop(_get, self._path(key), most_bytes)

    async def delete(self, key: str) -> None:
        """Remove an object."""
        await _off_loop(_remove, self._path(key))

    async def prepare(self) -> None:
        """Create the folders for uploads and for finished objects."""
        for folder in ("incoming", "finished"):
            await _off_loop(self._path(folder).mkdir, 0o700, True, True)

    def close(self) -> None:
        """Do nothing: no resources are held."""

    # Functions for the server behind the signed addresses

    def permitted(self, fields: Mapping[str, str], length: int) -> str:
        """Return the key that a form permits for a file of `length` bytes. Raises FormRefused."""
        signed = fields.get("policy", "")
        if not hmac.compare_digest(self._sign(signed).encode(), fields.get("signature", "").encode()):
            raise FormRefused("the signature does not hold")
        try:
            policy = msgspec.json.decode(base64.b64decode(signed), type=UploadPolicy)
        except (binascii.Error, msgspec.MsgspecError):
            raise FormRefused("the policy cannot be read") from None
        if self._clock() >= policy.until:
            raise FormRefused("the form has expired")
        if fields.get("key") != policy.key:
            raise FormRefused("the key is another than in the policy")
        if fields.get("Content-Type") != policy.content_type:
            raise FormRefused("the Content-Type is another than in the policy")
        if not 1 <= length <= policy.most_bytes:
            raise FormRefused(f"the file may have 1 to {policy.most_bytes} bytes")
        return policy.key

    def found(self, key: str, expires: str, signature: str, types: Mapping[str, str]) -> Found | None:
        """Return the file of a link; None if the link is forged or expired, or the object does not exist.

        `types` has the content type for each suffix.
        """
        if not hmac.compare_digest(self._sign(f"{key} {expires}").encode(), signature.encode()):
            return None
        path = self._path(key)
        content_type = types.get(path.suffix.removeprefix("."))
        if self._clock() >= int(expires) or content_type is None or not path.is_file():
            return None
        return Found(path, content_type)

    def _sign(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode(), "sha256").hex()

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key} is no key of an object")
        return self._folder / key


async def _off_loop(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    try:
        return await asyncio.to_thread(work, *arguments, **named)
    except OSError as error:
        raise StoreUnavailable(f"the folder of media: {error.strerror}") from error


def _put(fresh: Path, path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)
    for folder in list(path.parents)[:3]:  # otherwise a power cut may lose the names of the file and of new folders
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _get(path: Path, most_bytes: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except FileNotFoundError:
        return None
    return content if len(content) <= most_bytes else None


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
