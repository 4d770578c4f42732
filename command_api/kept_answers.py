"""Seal the answers that are stored with idempotency keys, with the key of the account that received them.

An answer repeats the text and the location of a tweet, which are sealed in the log. Unsealed, they would be stored in
clear for a day, even if the tweet is deleted. Sealing takes 5 us.
"""

from __future__ import annotations

import msgspec

from events.sealing import Sealer

from .deciding import Answer

REMEMBERED_MS = 24 * 3600 * 1000
"""How long an answer is stored, in milliseconds."""

_KIND = "answer"
_SEALED = b"sealed"


def is_sealed(answer: Answer) -> bool:
    """Whether the body of an answer is sealed; older versions stored answers unsealed."""
    return answer.body.startswith(_SEALED)


def seal(sealer: Sealer, account: str, id_: str, answer: Answer) -> Answer:
    """Return the answer with its body sealed. `id_` must never be used twice; the sealer must have the account's key.

    If the account has no key, or a destroyed one, the answer is returned unsealed: it repeats no sealed field.
    """
    if not answer.body or sealer.missing((account,)) or sealer.erased(account):
        return answer
    sealed = sealer.seal(account, _KIND, id_, answer.body)
    return msgspec.structs.replace(answer, body=b" ".join((_SEALED, id_.encode(), sealed.encode())))


def opened(sealer: Sealer, account: str, answer: Answer) -> Answer:
    """Return the answer as it was sent. If the key is destroyed or lost, return only status and location.

    Status and location are enough for the client to know that the request took effect. Raises SealBroken.
    """
    if not is_sealed(answer):
        return answer
    if sealer.missing((account,)) or sealer.erased(account):
        headers = tuple(header for header in answer.headers if header[0] != "content-type")
        return msgspec.structs.replace(answer, body=b"", headers=headers)
    _, id_, sealed = answer.body.split(b" ")
    return msgspec.structs.replace(answer, body=sealer.open(account, _KIND, id_.decode(), sealed.decode()))
