"""The RSA keys that sign access tokens: generated on first start, stored in files, replaced by rotation.

A key's id is a UUIDv7, so ids order the keys by age and tell when each one began to sign. The newest key signs. An
older key verifies until every token that it signed has expired; then its file is deleted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from events.ids import HybridClock, is_id, millis

BITS = 2048


class UnusableKey(Exception):
    """A file in the key directory is not a signing key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key; `kid` is its id."""

    kid: str
    private: rsa.RSAPrivateKey
    public: rsa.RSAPublicKey


class KeyRing:
    """The loaded signing keys, oldest first; the newest signs.

    `overlap_ms` is how long an older key still verifies after a newer one began to sign: a little more than the
    lifetime of a token.
    """

    def __init__(self, ids: HybridClock, overlap_ms: int) -> None:
        self._ids = ids
        self._overlap_ms = overlap_ms
        self._keys: list[SigningKey] = []

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._keys[-1]

    def listed(self) -> list[SigningKey]:
        """Return the keys that verify tokens now, oldest first."""
        superseded_after = self._ids.now() - self._overlap_ms
        return [
            key
            for key, newer in zip(self._keys, [*self._keys[1:], None], strict=True)
            if newer is None or millis(newer.kid) > superseded_after
        ]

    def public_key(self, kid: str) -> rsa.RSAPublicKey | None:
        """Return the public key with this id, or None if no listed key has it."""
        return next((key.public for key in self.listed() if key.kid == kid), None)

    def jwks(self) -> dict[str, Any]:
        """Return the listed keys as a JSON Web Key Set (RFC 7517)."""
        return {
            "keys": [
                {"kty": "RSA", "kid": key.kid, "use": "sig", "alg": "RS256", **_numbers(key.public)}
                for key in self.listed()
            ]
        }


class SigningKeys(KeyRing):
    """The signing keys of a data directory, each a PKCS #8 file `<kid>.pem` with mode 0600.

    Generates a key if the directory has none. Raises UnusableKey.
    """

    def __init__(self, directory: Path, ids: HybridClock, overlap_ms: int) -> None:
        super().__init__(ids, overlap_ms)
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._keys = [_load(path) for path in sorted(directory.glob("*.pem"))]
        if self._keys:
            self._ids.observe(self._keys[-1].kid)
            self._retire()
        else:
            self.rotate()

    def rotate(self) -> SigningKey:
        """Generate a key that signs from now on. Takes 50-300 ms, so call it at start or off the event loop."""
        made = new_key(self._ids)
        _save(self._directory / f"{made.kid}.pem", pem_of(made))
        self._keys = [*self._keys, made]
        self._retire()
        return made

    def _retire(self) -> None:
        listed = self.listed()
        for key in self._keys:
            if key not in listed:
                (self._directory / f"{key.kid}.pem").unlink(missing_ok=True)
        self._keys = listed


def new_key(ids: HybridClock) -> SigningKey:
    """Generate a key. Takes 50-300 ms."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    return SigningKey(ids.issue(), key, key.public_key())


def pem_of(key: SigningKey) -> bytes:
    """Encode the private key as unencrypted PKCS #8 in PEM."""
    return key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_of(kid: str, pem: bytes) -> SigningKey:
    """Decode a key from PEM. Raises UnusableKey if it is not an RSA key."""
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusableKey(f"the signing key {kid} is not an RSA key") from None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise UnusableKey(f"the signing key {kid} is not an RSA key")
    return SigningKey(kid, private, private.public_key())


def _numbers(public: rsa.RSAPublicKey) -> dict[str, str]:
    jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    return {"n": str(jwk["n"]), "e": str(jwk["e"])}


def _load(path: Path) -> SigningKey:
    try:
        if not is_id(path.stem):
            raise UnusableKey(path.stem)
        return key_of(path.stem, path.read_bytes())
    except UnusableKey:
        raise UnusableKey(
            f"{path} is not an RSA key of ours; restore it from a backup, or delete it and all users sign in again"
        ) from None


def _save(path: Path, pem: bytes) -> None:
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
