"""Answers kept with idempotency keys, sealed with the key of the account that they were given to.

An answer repeats the text and the place of a tweet, which are sealed in the log. In the clear they would stand beside
it for a day, whatever becomes of the tweet. Sealing takes 5 us.
"""

from __future__ import annotations

import msgspec

from events.sealing import Sealer

from .deciding import Answer

_KIND = "answer"
_SEALED = b"sealed"


def is_sealed(answer: Answer) -> bool:
    """Whether the body of an answer is sealed; those that older versions kept are not."""
    return answer.body.startswith(_SEALED)


def seal(sealer: Sealer, account: str, id_: str, answer: Answer) -> Answer:
    """The answer with its body sealed; `id_` is never used twice. The sealer has been shown the account's key.

    An account without a key, or with a destroyed one, has written nothing that is sealed; its answers stay as they are.
    """
    if not answer.body or sealer.missing((account,)) or sealer.erased(account):
        return answer
    sealed = sealer.seal(account, _KIND, id_, answer.body)
    return msgspec.structs.replace(answer, body=b" ".join((_SEALED, id_.encode(), sealed.encode())))


def opened(sealer: Sealer, account: str, answer: Answer) -> Answer:
    """The answer as it was given; its status and place alone, where the key is destroyed or lost. Raises SealBroken.

    That the request was done is all that a client has to know for not doing it again.
    """
    if not is_sealed(answer):
        return answer
    if sealer.missing((account,)) or sealer.erased(account):
        headers = tuple(header for header in answer.headers if header[0] != "content-type")
        return msgspec.structs.replace(answer, body=b"", headers=headers)
    _, id_, sealed = answer.body.split(b" ")
    return msgspec.structs.replace(answer, body=sealer.open(account, _KIND, id_.decode(), sealed.decode()))
