"""Sealed fields: personal data encrypted with a key of its subject's, so that destroying the key erases it.

AES-256-GCM with the event's type and id as associated data; a subject's key is kept wrapped (AES key wrap, RFC 3394)
by a master key from the settings. The nonce is made of the event's id: an id is never used twice, and a copy of the
event seals to the same bytes.
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
"""Ciphers kept ready; 2.5 KB each."""


class SealBroken(Exception):
    """A sealed field or key does not open: altered, or sealed under another master key."""


class KeyUnknown(Exception):
    """No key was ever made for this subject: the key store belongs to another log, or is older than this one."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"no key for {subject}: restore a key store that has it, or give it up with `minitwitter keys lost`"
        )
        self.subject = subject


class MasterKeyMissing(Exception):
    """The data directory has subjects' keys, but not the master key that wraps them."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A subject's key as it is stored. `wrapped` is None once it is destroyed."""

    master: str
    wrapped: bytes | None


class MasterKeys:
    """The master keys of a data directory: the newest wraps, older ones still unwrap until every key is wrapped anew.

    The file holds a line each, `<name> <base64 of 32 bytes>`, newest first.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise MasterKeyMissing("the master key file is empty; put the backed-up one in its place")
        self._keys = dict(keys)
        self.current = next(iter(self._keys))

    @classmethod
    def generate(cls, older: MasterKeys | None = None) -> MasterKeys:
        """A new key, ahead of the older ones."""
        key = os.urandom(32)
        name = hashlib.sha256(key).hexdigest()[:12]
        return cls({name: key} | (older._keys if older else {}))

    @classmethod
    def load(cls, path: Path) -> MasterKeys:
        """Read the file. Raises MasterKeyMissing, and SealBroken where it is no such file."""
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
        """Write the file with mode 0600, durably and in one step."""
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
        """Without the older ones."""
        return MasterKeys({self.current: self._keys[self.current]})

    def wrap(self, key: bytes) -> WrappedKey:
        """A subject's key, ready to be stored."""
        return WrappedKey(self.current, aes_key_wrap(self._keys[self.current], key))

    def unwrap(self, stored: WrappedKey) -> bytes:
        """The key itself. Raises MasterKeyMissing, SealBroken; asserts that it is not destroyed."""
        assert stored.wrapped is not None
        master = self._keys.get(stored.master)
        if master is None:
            raise MasterKeyMissing(f"master key {stored.master} is not in the master key file; restore it from backup")
        try:
            return aes_key_unwrap(master, stored.wrapped)
        except InvalidUnwrap:
            raise SealBroken("a subject's key does not open with the master key") from None


class Sealer:
    """Seals and opens with subjects' keys that it has been shown: adapters fetch the wrapped keys, this holds them.

    At most CACHED_KEYS ciphers are kept; `missing` says which have to be fetched (again) before a batch.
    """

    def __init__(self, masters: MasterKeys) -> None:
        self.masters = masters
        self._ciphers: OrderedDict[str, AESGCM | None] = OrderedDict()

    def missing(self, subjects: Iterable[str]) -> list[AccountId]:
        """Those of the subjects whose keys are not at hand."""
        return [AccountId(subject) for subject in dict.fromkeys(subjects) if subject not in self._ciphers]

    def learn(self, keys: Mapping[AccountId, WrappedKey]) -> None:
        """Keep keys that were fetched."""
        for subject, stored in keys.items():
            self._ciphers[subject] = None if stored.wrapped is None else AESGCM(self.masters.unwrap(stored))

    def trim(self) -> None:
        """Let the oldest go; to be called between batches, so that no batch loses a key it was promised."""
        while len(self._ciphers) > CACHED_KEYS:
            self._ciphers.popitem(last=False)

    def forget(self, subject: str) -> None:
        """Drop what is held of a subject, so that its key is fetched again."""
        self._ciphers.pop(subject, None)

    def clear(self) -> None:
        """Drop everything that is held."""
        self._ciphers.clear()

    def erased(self, subject: str) -> bool:
        """Whether the subject's key is destroyed. Raises KeyUnknown."""
        return self._cipher(subject) is None

    def seal(self, subject: str, kind: str, id_: str, plain: bytes) -> str:
        """The sealed form, base64. Raises KeyUnknown, and SealBroken when the key is destroyed."""
        cipher = self._cipher(subject)
        if cipher is None:
            raise SealBroken(f"the key of {subject} is destroyed; nothing more can be sealed with it")
        return base64.b64encode(cipher.encrypt(_nonce(id_), plain, f"{kind}:{id_}".encode())).decode()

    def open(self, subject: str, kind: str, id_: str, sealed: str) -> bytes:
        """What was sealed. Raises KeyUnknown, SealBroken; ask `erased` first."""
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
