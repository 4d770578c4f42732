"""Which problem each refusal of the command side is sent as."""

from __future__ import annotations

from events.ids import ClockBehind
from events.log import CorruptLog, LogUnavailable
from rest.authentication import NotSignedIn
from rest.problems import explains
from rest.rate_limits import TooMany
from stores.sink import StoreUnavailable

from ..deciding import KeyReused
from ..domain import errors

_RETRY = (("retry-after", "1"),)

explains("not-found", errors.AccountNotFound, errors.TweetNotFound)
explains("gone", errors.TweetGone)
explains("not-allowed", errors.NotYours)
explains("blocked", errors.Blocked)
explains("not-yourself", errors.NotYourself)
explains("idempotency-key-reused", KeyReused)
explains("too-many", TooMany)
explains("not-signed-in", NotSignedIn)
explains("unavailable", LogUnavailable, StoreUnavailable, CorruptLog, ClockBehind, headers=_RETRY)
