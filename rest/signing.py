"""Opaque signed strings: cursors and consistency tokens, so that forged ones are refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from events.consistency_token import ConsistencyToken

from .problems import ProblemError

_TAG = 9


class Signer:
    """Signs text with a key for one purpose: 72 bits of a keyed BLAKE2b, about 3 us."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key = hashlib.blake2b(purpose.encode(), key=key[:64]).digest()

    def _tag(self, payload: bytes) -> bytes:
        return hashlib.blake2b(payload, key=self._key, digest_size=_TAG).digest()

    def sign(self, text: str) -> str:
        """Return `text` with its tag, in base64url."""
        payload = text.encode()
        return base64.urlsafe_b64encode(self._tag(payload) + payload).rstrip(b"=").decode()

    def open(self, signed: str) -> str | None:
        """Return the signed text; None if it was not signed with this key for this purpose."""
        try:
            raw = base64.urlsafe_b64decode(signed.encode("ascii") + b"=" * (-len(signed) % 4))
        except (binascii.Error, ValueError):
            return None
        tag, payload = raw[:_TAG], raw[_TAG:]
        if not hmac.compare_digest(tag, self._tag(payload)):
            return None
        return payload.decode()


class Cursors:
    """Cursors: the name of a list and the position after which it continues. A cursor of another list is refused."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(key, "cursor")

    def make(self, of: str, position: str) -> str:
        """Return the cursor that continues the list `of` after `position`."""
        return self._signer.sign(f"{of}\n{position}")

    def read(self, of: str, cursor: str) -> str:
        """Return the position in a cursor of the list `of`. Raises the problem `bad-cursor`."""
        text = self._signer.open(cursor)
        name, _, position = (text or "").partition("\n")
        if text is None or name != of:
            raise ProblemError("bad-cursor", "this cursor was not made for this list")
        return position


class ConsistencyTokens:
    """Signs the tokens of writes, and reads them back."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(key, "consistency-token")

    def make(self, token: ConsistencyToken) -> str:
        """Return the signed form of a token, as clients receive it."""
        return self._signer.sign(str(token))

    def read(self, header: str) -> ConsistencyToken:
        """Return one token for all comma-separated tokens of a header. Raises `bad-consistency-token`."""
        merged = ConsistencyToken()
        for token in header.split(","):
            text = self._signer.open(token.strip())
            if text is None:
                raise ProblemError("bad-consistency-token", "this Consistency-Token was not issued by this server")
            merged = merged.merged(ConsistencyToken.parse(text))
        return merged
