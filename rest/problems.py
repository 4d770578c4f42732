"""Problems: all errors that clients receive, as RFC 9457 `application/problem+json`.

`PROBLEMS` is the complete list; each has a stable path `/problems/<slug>` with its explanation. Errors of the domain
and of the stores do not depend on HTTP: `explains` maps an error class to its problem.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem: its title, its status, and advice to the client."""

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
            "bad-consistency-token", 400, "Bad consistency token", "Send unchanged tokens of this server, or none."
        ),
        Problem("bad-request", 400, "Bad request", "See the detail."),
        Problem("not-signed-in", 401, "Not signed in", "Send `Authorization: Bearer <access token>` from /auth/login."),
        Problem("wrong-credentials", 401, "Wrong credentials", "Check the name or address and the password."),
        Problem("bad-refresh-token", 401, "Invalid refresh token", "Sign in again; a refresh token is valid once."),
        Problem("not-allowed", 403, "Not allowed", "This account may not do this."),
        Problem("wrong-password", 403, "Wrong password", "Send the present password as `current_password`."),
        Problem("not-found", 404, "Not found", "It does not exist, or it is hidden from you."),
        Problem("method-not-allowed", 405, "Method not allowed", "See the `Allow` header."),
        Problem("too-slow", 408, "Body too slow", "Send the whole body without long pauses."),
        Problem("conflict", 409, "Conflict with the present state", "Read the resource again before you retry."),
        Problem("name-taken", 409, "Name taken", "Choose another user name."),
        Problem("email-taken", 409, "E-mail address taken", "Sign in with it, or use another address."),
        Problem("still-running", 409, "First request still running", "Wait as `Retry-After` says and send it again."),
        Problem("gone", 410, "Deleted", "Its author deleted it for good."),
        Problem("version-mismatch", 412, "Changed meanwhile", "Read it again, and send the new `ETag` in `If-Match`."),
        Problem("too-large", 413, "Too large", "Send less; the limit is in the detail."),
        Problem(
            "wrong-type", 415, "Wrong content type", "Send `Content-Type: application/json`, or what the detail says."
        ),
        Problem(
            "unsupported-media", 415, "Unsupported media type", "Send a valid JPEG, PNG, GIF, WebP, MP4 or WebM file."
        ),
        Problem("invalid-value", 422, "Invalid value", "`errors` names each invalid field and the reason."),
        Problem("not-yourself", 422, "Not on your own account", "This works only on other accounts."),
        Problem(
            "edit-window-closed",
            403,
            "Too late to edit",
            "A tweet can be edited for a while after it is posted; the detail says how long.",
        ),
        Problem("blocked", 403, "Blocked", "One of the two accounts blocks the other."),
        Problem("idempotency-key-reused", 422, "Idempotency-Key reused", "Send a new key with a new request."),
        Problem("too-many", 429, "Too many requests", "Wait as `Retry-After` says; `RateLimit-Policy` has the limits."),
        Problem(
            "unavailable", 503, "A store is unavailable", "Nothing was lost or half done. Retry as `Retry-After` says."
        ),
        Problem("internal", 500, "Internal error", "Report it with the `instance`; nothing acknowledged was lost."),
    )
}


class FieldError(msgspec.Struct, frozen=True):
    """The error of one field; `field` is a path such as `location.lat`, `code` is stable."""

    field: str
    """The path of the field, such as `location.lat`."""
    code: str
    """The error as a stable word."""
    message: str
    """The error as a sentence."""


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of an error response."""

    type: str
    """The path of the explanation of this kind of problem."""
    title: str
    """The title of this kind of problem."""
    status: int
    """The HTTP status."""
    detail: str
    """The error of this request."""
    instance: str
    """The id of the request, as in `X-Request-Id`."""
    errors: tuple[FieldError, ...] = ()
    """The errors of fields; only with status 422."""


class ProblemError(Exception):
    """A problem raised by the edge itself, for errors that are not the domain's."""

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
    """Send errors of these classes as the problem `slug`, with these headers."""
    for error in errors:
        _EXPLAINED[error] = (slug, headers)


def slug_of(error: type[BaseException]) -> str:
    """Return the name of the problem of an error class. Raises TypeError if `explains` declares none."""
    for cls in error.__mro__:
        if cls in _EXPLAINED:
            return _EXPLAINED[cls][0]
    raise TypeError(f"{error.__name__} has no problem: rest.problems.explains has to name one")


def invalid(field: str, code: str, message: str) -> ProblemError:
    """Return a 422 for one field."""
    return ProblemError("invalid-value", message, errors=(FieldError(field, code, message),))


def as_problem(error: BaseException) -> ProblemError | None:
    """Return the problem of an error; None for an unexpected error, which becomes a 500."""
    if isinstance(error, ProblemError):
        return error
    for cls in type(error).__mro__:
        if cls in _EXPLAINED:
            slug, headers = _EXPLAINED[cls]
            return ProblemError(slug, str(error), headers=headers)
    return None


def body_of(problem: ProblemError, instance: str) -> bytes:
    """Return the JSON body of a problem; `instance` is the request id."""
    kind = problem.problem
    return msgspec.json.encode(
        ProblemBody(f"/problems/{kind.slug}", kind.title, kind.status, str(problem), instance, problem.errors)
    )
