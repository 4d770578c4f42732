"""Common parts of the FastAPI routes of both APIs.

Routes take pydantic models and return msgspec structs. `Route` has the rules that FastAPI lacks: unknown query
parameters are refused, bodies must declare that they are JSON, and every error becomes a problem.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError, from_json
from starlette.datastructures import URL

from . import examples
from .admission import API
from .authentication import Viewer
from .edge import reply_of
from .exchange import Exchange, Reads, anyone, exchange_of, signed_in
from .problems import FieldError, ProblemError, as_problem, invalid
from .signing import Cursors

T = TypeVar("T")

_VERSIONED = re.compile(r'"v([0-9]{1,10})-[0-9a-f]{16}"')


def inline(dependency: Callable[..., T]) -> Callable[..., Coroutine[Any, Any, T]]:
    """Call a dependency on the event loop. FastAPI would run a plain function in a thread, which takes 50 us."""

    @functools.wraps(dependency)
    async def called(*args: Any, **kwargs: Any) -> T:
        return dependency(*args, **kwargs)

    return called


_SIGNED_IN = inline(signed_in)
SignedIn = Annotated[Viewer, Depends(_SIGNED_IN)]
_ANYONE = inline(anyone)
Anyone = Annotated[Viewer | None, Depends(_ANYONE)]
Exchanged = Annotated[Exchange, Depends(inline(exchange_of))]


class Body(BaseModel):
    """A request body. Unknown fields are refused, so that a misspelt field is not silently ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Route(APIRoute):
    """A route that applies the rules of all endpoints."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, wrapped in the rules."""
        handle = super().get_route_handler()
        known = query_names(self.dependant)
        takes_body = bool(self.body_field)
        is_private = needs_sign_in(self.dependant)
        reads: Reads = getattr(self.endpoint, "reads", ())

        async def handler(request: Request) -> Response:
            exchange = exchange_of(request)
            try:
                if is_private:  # first: clients without credentials get no other error
                    exchange.signed_in()
                for name in request.query_params:
                    if name not in known:
                        raise _unknown_parameter(name, known)
                if takes_body:
                    check_type(request.headers.get("content-type", ""))
                    parsed(await request.body())
                await exchange.before_reading(reads)
                return await handle(request)
            except Exception as error:
                problem = _as_problem(error)
                if problem is None:
                    raise
                reply = reply_of(problem, error, exchange)
                response = Response(reply.body, reply.status)
                response.raw_headers += reply.headers
                return response

        return handler


def router(tag: str, prefix: str = API) -> APIRouter:
    """Return a router whose routes apply the rules; `tag` groups them in the documentation."""
    return APIRouter(route_class=Route, tags=[tag], prefix=prefix)


def attach(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Add the routes of these routers to an application. The order of the routers does not matter.

    The first route that matches a request serves it, so a route is placed before other routes that match its path as
    well: `/users/me` before `/users/{username}`.
    """
    routes: list[Any] = []
    for route in (route for each in routers for route in each.routes):
        at = next((n for n, other in enumerate(routes) if _takes(other, route)), len(routes))
        routes.insert(at, route)
    app.router.routes += routes


def _takes(other: Any, route: Any) -> bool:
    """Return whether requests for the path of `route` would go to `other` if that route came first."""
    return other.path != route.path and other.path_regex.match(route.path) is not None


def query_names(dependant: Any) -> frozenset[str]:
    """Return the query parameters of a route."""
    names = {field.alias for field in dependant.query_params}
    for inner in dependant.dependencies:
        names |= query_names(inner)
    return frozenset(names)


def needs_sign_in(dependant: Any) -> bool:
    """Return whether a route requires a signed-in viewer."""
    return _depends(dependant, _SIGNED_IN)


def asks_who(dependant: Any) -> bool:
    """Return whether a route uses the viewer, if there is one."""
    return _depends(dependant, _ANYONE)


def _depends(dependant: Any, call: Callable[..., Any]) -> bool:
    return dependant.call is call or any(_depends(inner, call) for inner in dependant.dependencies)


def _unknown_parameter(name: str, known: frozenset[str]) -> ProblemError:
    detail = f"unknown parameter {name!r}" + (f"; known are {', '.join(sorted(known))}" if known else "")
    return ProblemError("invalid-value", detail, errors=(FieldError(name, "unknown", detail),))


def check_type(given: str) -> None:
    """Raise a 415 if a `Content-Type` is not JSON."""
    media = given.partition(";")[0].strip().lower()
    if media != "application/json":
        raise ProblemError("wrong-type", f"the body must be application/json, not {given or 'unnamed'}")


def parsed(raw: bytes) -> dict[str, Any]:
    """Return the object of a body, strictly by RFC 8259: no NaN, no lone surrogates.

    Raises a 400 if it is not JSON, a 422 if it is not an object.
    """
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise ProblemError("malformed-json", f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise invalid("body", "object", "the body must be a JSON object")
    return value


def _as_problem(error: Exception) -> ProblemError | None:
    if isinstance(error, RequestValidationError):
        return validation_problem(error.errors())
    return as_problem(error)


def validation_problem(found: Sequence[Any]) -> ProblemError:
    """Return pydantic's errors as a problem: a 422 with each field."""
    errors = tuple(
        FieldError(
            ".".join(str(part) for part in entry["loc"][1:]) or str(entry["loc"][0]), entry["type"], entry["msg"]
        )
        for entry in found
    )
    return ProblemError("invalid-value", "; ".join(f"{e.field}: {e.message}" for e in errors), errors=errors)


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a msgspec value as JSON."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def tagged(request: Request, value: Any, version: int | None = None) -> Response:
    """Return a single resource with its `ETag`; 304 if the client's copy is current.

    The tag is `"v<version>-<digest of the body>"`, or `"<digest>"` alone. `If-Match` compares only the version.
    """
    body = msgspec.json.encode(value)
    etag = etag_of(body, version)
    if matches(request.headers.get("if-none-match"), etag):
        return Response(None, 304, {"ETag": etag})
    return Response(body, 200, {"ETag": etag}, media_type="application/json")


def etag_of(body: bytes, version: int | None) -> str:
    """Return the entity tag of a body."""
    digest = hashlib.blake2b(body, digest_size=8).hexdigest()
    return f'"v{version}-{digest}"' if version is not None else f'"{digest}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Return whether an `If-None-Match` header contains a tag (weak comparison, RFC 9110)."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags


def version_wanted(if_match: str | None) -> int | None:
    """Return the version in an `If-Match` header; None if it is missing or `*`. Raises a 412 for any other tag."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _VERSIONED.fullmatch(if_match.strip())
    if tag is None:
        raise ProblemError("version-mismatch", "this tag does not belong to this resource")
    return int(tag[1])


AN_ID: Any = {"format": "uuid"}
A_TIME: Any = {"format": "date-time"}
"""Formats of strings in the OpenAPI document; the routes check them."""

TweetInPath = Annotated[str, Path(description="The id of a tweet", examples=[examples.ID], json_schema_extra=AN_ID)]
MediaInPath = Annotated[str, Path(description="The id of a medium", examples=[examples.ID], json_schema_extra=AN_ID)]
NameInPath = Annotated[
    str,
    Path(
        description="A user name, in any case",
        examples=["ada"],
        json_schema_extra={"pattern": "^[A-Za-z0-9_]{3,30}$"},
    ),
]
# The document states their formats, but routes do not check them: an invalid id or name does not exist, which is a 404.


def not_a_word(id_: str, word: str, method: str) -> None:
    """Raise a 405 if the id is the last part of another path, which only POST supports."""
    if id_ == word:
        raise ProblemError("method-not-allowed", f"{method} is not for .../{word}", headers=(("allow", "POST"),))


_DIGITS = re.compile(r"-?[0-9]{1,9}")


def _digits(given: Any) -> Any:
    if isinstance(given, str) and not _DIGITS.fullmatch(given):
        raise PydanticCustomError("int_parsing", "this must be a whole number, in the digits 0 to 9")
    return given


def _true_or_false(given: Any) -> Any:
    if isinstance(given, str) and given not in ("true", "false"):
        raise PydanticCustomError("bool_parsing", "this must be true or false")
    return given


# Pydantic accepts digits of every script, spaces, underscores, and ten words for true; the API documents one spelling.
IN_DIGITS = BeforeValidator(_digits)
"""A validator of whole numbers in a query. It must stand after the bounds, or the document would lack them."""
Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""True or false in a query."""


class PageRequest:
    """The requested page: `limit` items, from a cursor on."""

    def __init__(
        self,
        limit: Annotated[int, Field(ge=1, le=100), IN_DIGITS, Query(description="The most items to list")] = 20,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the previous page", max_length=2000)] = None,
    ) -> None:
        self.limit = limit
        self.cursor = cursor

    def after(self, cursors: Cursors, of: str) -> str | None:
        """Return the position that the page continues from; None for the first page. Raises `bad-cursor`."""
        return None if self.cursor is None else cursors.read(of, self.cursor)


Paged = Annotated[PageRequest, Depends(inline(PageRequest))]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list."""

    items: Sequence[T]
    """The items, in order."""
    next_cursor: str | None
    """Send it as `cursor` to get the next page; null on the last page."""


def page_response(request: Request, items: Sequence[Any], cursors: Cursors, of: str, position: str | None) -> Response:
    """Return a page with the cursor that continues after `position` (None on the last page) and a `Link` header."""
    cursor = None if position is None else cursors.make(of, position)
    return json_response(Page(items, cursor), headers=next_link(request, cursor) if cursor is not None else None)


def next_link(request: Request, cursor: str) -> dict[str, str]:
    """Return the `Link` header of the next page, relative to the server (RFC 8288, 3.1).

    An absolute link would contain the client's own Host header, and behind a proxy its scheme could be wrong.
    """
    # The path of a scope is decoded; it is encoded again, because a header cannot hold tags of every script.
    path, query = quote(request.scope["path"]), request.scope["query_string"].decode("latin-1")
    url = URL(f"{path}?{query}").include_query_params(cursor=cursor)
    return {"Link": f'<{url}>; rel="next"'}
