"""Sealed fields: personal data encrypted with a key of its subject, so that destroying the key erases the data.

AES-256-GCM with the event's type and id as associated data. A subject's key is stored wrapped (AES key wrap, RFC 3394)
by a master key from the settings. The nonce is derived from the event's id: an id is never used twice, and a copy of
the event seals to the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from .ids import AccountId

CACHED_KEYS = 5_000
"""Ciphers that a sealer caches; 2.5 KB each."""


class SealBroken(Exception):
    """A sealed field or key does not open: it was altered, or sealed under another master key."""


class KeyUnknown(Exception):
    """The key store has no key of this subject: it belongs to another log, or its backup is older than the log."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"no key for {subject}: restore a key store that has it, or give the key up with `minitwitter keys lost`"
        )
        self.subject = subject


class MasterKeyMissing(Exception):
    """The data directory has subjects' keys, but not the master key that wraps them."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A subject's key as it is stored. `wrapped` is None once the key is destroyed."""

    master: str
    wrapped: bytes | None


class MasterKeys:
    """The master keys of a data directory. The newest one wraps; older ones unwrap until every key is wrapped with the
    newest.

    The file has a line for each, `<name> <base64 of 32 bytes>`, newest first.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise MasterKeyMissing("the master key file is empty; put the backed-up one in its place")
        self._keys = dict(keys)
        self.current = next(iter(self._keys))

    @classmethod
    def generate(cls, older: MasterKeys | None = None) -> MasterKeys:
        """Return a new key, followed by the older ones."""
        key = os.urandom(32)
        name = hashlib.sha256(key).hexdigest()[:12]
        return cls({name: key} | (older._keys if older else {}))

    @classmethod
    def load(cls, path: Path) -> MasterKeys:
        """Read the file. Raises MasterKeyMissing, and SealBroken if it is not a master key file."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise MasterKeyMissing(
                f"{path} is missing; without it no sealed field can be read. Put the backed-up file in its place"
            ) from None
        keys: dict[str, bytes] = {}
        try:
            for line in filter(None, content.decode("ascii").split("\n")):
                name, _, encoded = line.partition(" ")
                keys[name] = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise SealBroken(f"{path} is not a master key file") from None
        if any(len(key) != 32 for key in keys.values()):
            raise SealBroken(f"{path} is not a master key file")
        return cls(keys)

    def save(self, path: Path) -> None:
        """Write the file with mode 0600, durably and atomically."""
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{name} {base64.b64encode(key).decode()}\n" for name, key in self._keys.items())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def only_current(self) -> MasterKeys:
        """Return the newest master key alone."""
        return MasterKeys({self.current: self._keys[self.current]})

    def wrap(self, key: bytes) -> WrappedKey:
        """Wrap a subject's key with the newest master key, for storage."""
        return WrappedKey(self.current, aes_key_wrap(self._keys[self.current], key))

    def unwrap(self, stored: WrappedKey) -> bytes:
        """Return the subject's key. The key must not be destroyed. Raises MasterKeyMissing, SealBroken."""
        assert stored.wrapped is not None
        master = self._keys.get(stored.master)
        if master is None:
            raise MasterKeyMissing(f"master key {stored.master} is not in the master key file; restore it from backup")
        try:
            return aes_key_unwrap(master, stored.wrapped)
        except InvalidUnwrap:
            raise SealBroken("a subject's key does not open with the master key") from None


class Sealer:
    """Seals and opens fields with the subjects' keys that adapters fetched and gave to it.

    It caches CACHED_KEYS ciphers between batches. Before a batch, `missing` returns the subjects whose keys must be
    fetched.
    """

    def __init__(self, masters: MasterKeys) -> None:
        self.masters = masters
        self._ciphers: OrderedDict[str, AESGCM | None] = OrderedDict()

    def missing(self, subjects: Iterable[str]) -> list[AccountId]:
        """Return the subjects whose keys are not cached."""
        return [AccountId(subject) for subject in dict.fromkeys(subjects) if subject not in self._ciphers]

    def learn(self, keys: Mapping[AccountId, WrappedKey]) -> None:
        """Cache keys that were fetched."""
        for subject, stored in keys.items():
            self._ciphers[subject] = None if stored.wrapped is None else AESGCM(self.masters.unwrap(stored))

    def trim(self) -> None:
        """Evict the oldest keys. Called between batches, so that no batch loses a key that it fetched."""
        while len(self._ciphers) > CACHED_KEYS:
            self._ciphers.popitem(last=False)

    def forget(self, subject: str) -> None:
        """Evict a subject's key, so that it is fetched again."""
        self._ciphers.pop(subject, None)

    def clear(self) -> None:
        """Evict all keys."""
        self._ciphers.clear()

    def erased(self, subject: str) -> bool:
        """Return whether the subject's key is destroyed. Raises KeyUnknown."""
        return self._cipher(subject) is None

    def seal(self, subject: str, kind: str, id_: str, plain: bytes) -> str:
        """Return the sealed bytes in base64. Raises KeyUnknown, and SealBroken if the key is destroyed."""
        cipher = self._cipher(subject)
        if cipher is None:
            raise SealBroken(f"the key of {subject} is destroyed; nothing more can be sealed with it")
        return base64.b64encode(cipher.encrypt(_nonce(id_), plain, f"{kind}:{id_}".encode())).decode()

    def open(self, subject: str, kind: str, id_: str, sealed: str) -> bytes:
        """Open sealed bytes. The key must not be destroyed (see `erased`). Raises KeyUnknown, SealBroken."""
        cipher = self._cipher(subject)
        assert cipher is not None
        try:
            return cipher.decrypt(_nonce(id_), base64.b64decode(sealed), f"{kind}:{id_}".encode())
        except (InvalidTag, binascii.Error):
            raise SealBroken(
                f"the sealed fields of event {id_} do not open: altered, or sealed with another key"
            ) from None

    def _cipher(self, subject: str) -> AESGCM | None:
        try:
            return self._ciphers[subject]
        except KeyError:
            raise KeyUnknown(subject) from None


def _nonce(id_: str) -> bytes:
    return hashlib.blake2b(id_.encode(), digest_size=12).digest()
