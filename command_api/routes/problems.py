"""Map each refusal and error of the command side to its problem."""

from __future__ import annotations

from events.ids import ClockBehind
from events.log import CorruptLog, LogUnavailable
from rest.authentication import NotSignedIn
from rest.problems import explains
from rest.rate_limits import TooMany
from stores.sink import StoreUnavailable

from ..deciding import KeyReused
from ..domain import errors
from ..domain.change_password import WrongPassword
from ..domain.claim_account import NotClaimable
from ..domain.end_session import SessionNotFound
from ..domain.refresh_session import RefreshTokenRefused
from ..domain.register_account import EmailIsTaken, NameTaken
from ..domain.start_session import WrongCredentials
from ..media.errors import TooManyPixels, TooManyUploads, UnsupportedMedia
from ..passwords import TooBusy

_RETRY = (("retry-after", "1"),)
_SIGN_IN = (("www-authenticate", NotSignedIn.challenge),)

explains("not-found", errors.AccountNotFound, errors.TweetNotFound, errors.NotificationNotFound)
explains("not-found", errors.MediaNotFound)
explains("gone", errors.TweetGone, errors.MediaGone)
explains("not-allowed", errors.NotYours)
explains("version-mismatch", errors.VersionMismatch)
explains("edit-window-closed", errors.EditWindowClosed)
explains("blocked", errors.Blocked)
explains("not-yourself", errors.NotYourself)
explains("idempotency-key-reused", KeyReused)
explains("too-many", TooMany)
explains("not-signed-in", NotSignedIn)
explains("unavailable", LogUnavailable, StoreUnavailable, CorruptLog, ClockBehind, headers=_RETRY)
explains("name-taken", NameTaken)
explains("email-taken", EmailIsTaken)
explains("wrong-credentials", WrongCredentials, headers=_SIGN_IN)
explains("bad-refresh-token", RefreshTokenRefused, headers=_SIGN_IN)
explains("wrong-password", WrongPassword)
explains("not-found", SessionNotFound)
explains("conflict", NotClaimable)
explains("conflict", errors.TooManyEdits)
explains("conflict", errors.MediaUnfinished, errors.MediaShown, errors.UploadMissing)
explains("invalid-value", errors.NotAPicture)
explains("unsupported-media", UnsupportedMedia)
explains("too-large", TooManyPixels)
explains("unavailable", TooManyUploads, headers=(("retry-after", "3"),))
explains("unavailable", TooBusy, headers=(("retry-after", "3"),))
