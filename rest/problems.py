"""Problems: every error that a client sees, as RFC 9457 `application/problem+json`.

`PROBLEMS` is the whole list; each has a stable path `/problems/<slug>` that explains it. Errors of the domain and of
the stores know nothing of HTTP: `explains` ties an error class to its problem.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem: what it is called, the status it is sent with, and what to do about it."""

    slug: str
    status: int
    title: str
    advice: str


PROBLEMS: dict[str, Problem] = {
    problem.slug: problem
    for problem in (
        Problem("malformed-json", 400, "Malformed JSON", "Send a body that is valid JSON in UTF-8."),
        Problem(
            "bad-cursor", 400, "Bad cursor", "Cursors come from `next_cursor` of the same list; start without one."
        ),
        Problem(
            "bad-consistency-token", 400, "Bad consistency token", "Send tokens as this server gave them, or none."
        ),
        Problem("bad-request", 400, "Bad request", "See the detail."),
        Problem("not-signed-in", 401, "Not signed in", "Send `Authorization: Bearer <access token>` from /auth/login."),
        Problem("wrong-credentials", 401, "Wrong credentials", "Check the name or address and the password."),
        Problem("bad-refresh-token", 401, "Refresh token not good", "Sign in again; a refresh token is good once."),
        Problem("not-allowed", 403, "Not allowed", "This account may not do this."),
        Problem("wrong-password", 403, "Wrong password", "Send the password of now as `current_password`."),
        Problem("not-found", 404, "Not found", "It does not exist, or it is hidden from you."),
        Problem("method-not-allowed", 405, "Method not allowed", "See the `Allow` header."),
        Problem("too-slow", 408, "Body too slow", "Send the whole body without long pauses."),
        Problem("conflict", 409, "Conflict with the present state", "Read it again and decide anew."),
        Problem("name-taken", 409, "Name taken", "Choose another user name."),
        Problem("email-taken", 409, "E-mail address taken", "Sign in with it, or use another."),
        Problem("still-running", 409, "First request still running", "Wait as `Retry-After` says and send it again."),
        Problem("gone", 410, "Deleted", "It was deleted by its author and does not come back."),
        Problem("version-mismatch", 412, "Changed since", "Read it again, and send the new `ETag` in `If-Match`."),
        Problem("too-large", 413, "Too large", "Send less; the limit is in the detail."),
        Problem(
            "wrong-type", 415, "Wrong content type", "Send `Content-Type: application/json`, or what the detail says."
        ),
        Problem(
            "unsupported-media", 415, "Not a medium that is taken", "Send a good JPEG, PNG, GIF, WebP, MP4 or WebM."
        ),
        Problem("invalid-value", 422, "Invalid value", "`errors` names each field and what is wrong with it."),
        Problem("not-yourself", 422, "Not with yourself", "This is done to others."),
        Problem(
            "edit-window-closed",
            403,
            "Too late to edit",
            "A tweet can be edited for a while after it is posted; the detail says how long.",
        ),
        Problem("blocked", 403, "Blocked", "One of the two accounts blocks the other."),
        Problem("idempotency-key-reused", 422, "Idempotency-Key reused", "Take a new key for a new request."),
        Problem("too-many", 429, "Too many requests", "Wait as `Retry-After` says; `RateLimit-Policy` has the limits."),
        Problem(
            "unavailable", 503, "A store is away", "Nothing was lost or half done. Try again as `Retry-After` says."
        ),
        Problem("internal", 500, "A fault of ours", "Report it with the `instance`; nothing acknowledged was lost."),
    )
}


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field; `field` is a path like `location.lat`, `code` is stable."""

    field: str
    """The path of the field, as `location.lat`."""
    code: str
    """What is wrong, as a word that stays the same."""
    message: str
    """What is wrong, as a sentence."""


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of an error."""

    type: str
    """The path that explains this kind of problem."""
    title: str
    """What this kind of problem is called."""
    status: int
    """The status that it is answered with."""
    detail: str
    """What is wrong this time."""
    instance: str
    """The id of the request, as in `X-Request-Id`."""
    errors: tuple[FieldError, ...] = ()
    """What is wrong with each field; only of a 422."""


class ProblemError(Exception):
    """Raised by the edge itself, where no error of the domain fits."""

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.problem = PROBLEMS[slug]
        self.errors = errors
        self.headers = headers


_EXPLAINED: dict[type[BaseException], tuple[str, tuple[tuple[str, str], ...]]] = {}


def explains(slug: str, *errors: type[BaseException], headers: tuple[tuple[str, str], ...] = ()) -> None:
    """Errors of these classes are sent as the problem `slug`, with these headers."""
    for error in errors:
        _EXPLAINED[error] = (slug, headers)


def slug_of(error: type[BaseException]) -> str:
    """The name of the problem that errors of a class are sent as. Raises TypeError where `explains` names none."""
    for cls in error.__mro__:
        if cls in _EXPLAINED:
            return _EXPLAINED[cls][0]
    raise TypeError(f"{error.__name__} has no problem: rest.problems.explains has to name one")


def invalid(field: str, code: str, message: str) -> ProblemError:
    """A 422 for one field."""
    return ProblemError("invalid-value", message, errors=(FieldError(field, code, message),))


def as_problem(error: BaseException) -> ProblemError | None:
    """The problem that an error is sent as; None where it is a fault of ours."""
    if isinstance(error, ProblemError):
        return error
    for cls in type(error).__mro__:
        if cls in _EXPLAINED:
            slug, headers = _EXPLAINED[cls]
            return ProblemError(slug, str(error), headers=headers)
    return None


def body_of(problem: ProblemError, instance: str) -> bytes:
    """The JSON that is sent; `instance` is the correlation id."""
    kind = problem.problem
    return msgspec.json.encode(
        ProblemBody(f"/problems/{kind.slug}", kind.title, kind.status, str(problem), instance, problem.errors)
    )
