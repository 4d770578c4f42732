"""What the FastAPI routes of both APIs are made of.

Routes take pydantic models in and give msgspec structs out. `Route` holds the rules that FastAPI does not: unknown
query parameters are refused, bodies must say that they are JSON, and every error becomes a problem.
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
    """A dependency that is called where the request is: FastAPI sends plain functions to a thread, for 50 us each."""

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
    """A request body: unknown fields are refused, so that a typing mistake is never silently dropped."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Route(APIRoute):
    """A route that keeps the rules of every endpoint."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with our rules around it."""
        handle = super().get_route_handler()
        known = query_names(self.dependant)
        takes_body = bool(self.body_field)
        is_private = needs_sign_in(self.dependant)
        reads: Reads = getattr(self.endpoint, "reads", ())

        async def handler(request: Request) -> Response:
            exchange = exchange_of(request)
            try:
                if is_private:  # ahead of everything: nobody else is told what is wrong with the rest
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
    """A router whose routes keep the rules; `tag` groups them in the documentation."""
    return APIRouter(route_class=Route, tags=[tag], prefix=prefix)


def attach(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Have an application serve the routes of these routers, whose order decides nothing.

    The first route that matches a request serves it, so a route goes before those that match its path as well:
    `/users/me` before `/users/{username}`.

    `include_router` would build each route once more for each application, 60 ms together, on the first request; and
    every request would look for its route a level deeper.
    """
    routes: list[Any] = []
    for route in (route for each in routers for route in each.routes):
        at = next((n for n, other in enumerate(routes) if _takes(other, route)), len(routes))
        routes.insert(at, route)
    app.router.routes += routes


def _takes(other: Any, route: Any) -> bool:
    """Whether requests for the path of `route` would go to `other` if that came first."""
    return other.path != route.path and other.path_regex.match(route.path) is not None


def query_names(dependant: Any) -> frozenset[str]:
    """The query parameters that a route takes."""
    names = {field.alias for field in dependant.query_params}
    for inner in dependant.dependencies:
        names |= query_names(inner)
    return frozenset(names)


def needs_sign_in(dependant: Any) -> bool:
    """Whether a route is for those who are signed in."""
    return _depends(dependant, _SIGNED_IN)


def asks_who(dependant: Any) -> bool:
    """Whether what a route answers depends on who is signed in, if anyone is."""
    return _depends(dependant, _ANYONE)


def _depends(dependant: Any, call: Callable[..., Any]) -> bool:
    return dependant.call is call or any(_depends(inner, call) for inner in dependant.dependencies)


def _unknown_parameter(name: str, known: frozenset[str]) -> ProblemError:
    detail = f"there is no parameter {name!r} here" + (f"; there is {', '.join(sorted(known))}" if known else "")
    return ProblemError("invalid-value", detail, errors=(FieldError(name, "unknown", detail),))


def check_type(given: str) -> None:
    """Raise a 415 where a `Content-Type` is not JSON."""
    media = given.partition(";")[0].strip().lower()
    if media != "application/json":
        raise ProblemError("wrong-type", f"the body has to be application/json, not {given or 'unnamed'}")


def parsed(raw: bytes) -> dict[str, Any]:
    """The object of a body, strictly as RFC 8259 has it: no NaN, no half a surrogate pair.

    Raises a 400 where it is not JSON, a 422 where it is anything else than an object.
    """
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise ProblemError("malformed-json", f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise invalid("body", "object", "the body has to be a JSON object")
    return value


def _as_problem(error: Exception) -> ProblemError | None:
    if isinstance(error, RequestValidationError):
        return validation_problem(error.errors())
    return as_problem(error)


def validation_problem(found: Sequence[Any]) -> ProblemError:
    """The problem for what pydantic found: a 422 with each field."""
    errors = tuple(
        FieldError(
            ".".join(str(part) for part in entry["loc"][1:]) or str(entry["loc"][0]), entry["type"], entry["msg"]
        )
        for entry in found
    )
    return ProblemError("invalid-value", "; ".join(f"{e.field}: {e.message}" for e in errors), errors=errors)


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A msgspec value as JSON, encoded once."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def tagged(request: Request, value: Any, version: int | None = None) -> Response:
    """A single resource with its `ETag`; 304 where the client has it already.

    The tag is `"v<version>-<digest of the body>"`, or `"<digest>"` alone: `If-Match` goes by the version.
    """
    body = msgspec.json.encode(value)
    etag = etag_of(body, version)
    if matches(request.headers.get("if-none-match"), etag):
        return Response(None, 304, {"ETag": etag})
    return Response(body, 200, {"ETag": etag}, media_type="application/json")


def etag_of(body: bytes, version: int | None) -> str:
    """The entity tag of a body."""
    digest = hashlib.blake2b(body, digest_size=8).hexdigest()
    return f'"v{version}-{digest}"' if version is not None else f'"{digest}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether an `If-None-Match` header names a tag (weak comparison, RFC 9110)."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags


def version_wanted(if_match: str | None) -> int | None:
    """The version that an `If-Match` header asks for; None where it asks for none. Raises a 412 for any other tag."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _VERSIONED.fullmatch(if_match.strip())
    if tag is None:
        raise ProblemError("version-mismatch", "this tag was never given out for this resource")
    return int(tag[1])


AN_ID: Any = {"format": "uuid"}
A_TIME: Any = {"format": "date-time"}
"""What is said of a string in the OpenAPI document, and held elsewhere."""

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
# Their shapes are told and not held: what cannot be an id or a name names nothing, which is a 404.


def not_a_word(id_: str, word: str, method: str) -> None:
    """Raise a 405 where what stands in the place of an id is a path of its own, which only POST is for."""
    if id_ == word:
        raise ProblemError("method-not-allowed", f"{method} is not for .../{word}", headers=(("allow", "POST"),))


_DIGITS = re.compile(r"-?[0-9]{1,9}")


def _digits(given: Any) -> Any:
    if isinstance(given, str) and not _DIGITS.fullmatch(given):
        raise PydanticCustomError("int_parsing", "this has to be a whole number, in the digits 0 to 9")
    return given


def _true_or_false(given: Any) -> Any:
    if isinstance(given, str) and given not in ("true", "false"):
        raise PydanticCustomError("bool_parsing", "this has to be true or false")
    return given


# Pydantic takes digits of every script, spaces, underscores, and ten words for yes; clients are told of one spelling.
IN_DIGITS = BeforeValidator(_digits)
"""For a whole number in a query; it goes behind the number's bounds, or the document would lack them."""
Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""True or false in a query."""


class PageRequest:
    """Which page is asked for: `limit` items, from a cursor on."""

    def __init__(
        self,
        limit: Annotated[int, Field(ge=1, le=100), IN_DIGITS, Query(description="How many items at most")] = 20,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before", max_length=2000)] = None,
    ) -> None:
        self.limit = limit
        self.cursor = cursor

    def after(self, cursors: Cursors, of: str) -> str | None:
        """The position that the page goes on from; None for the first. Raises `bad-cursor`."""
        return None if self.cursor is None else cursors.read(of, self.cursor)


Paged = Annotated[PageRequest, Depends(inline(PageRequest))]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of anything."""

    items: Sequence[T]
    """What there is, in order."""
    next_cursor: str | None
    """Send it as `cursor` for the next page; null on the last."""


def page_response(request: Request, items: Sequence[Any], cursors: Cursors, of: str, position: str | None) -> Response:
    """A page, with the cursor that goes on after `position` (None: this was the last) and a `Link` header."""
    cursor = None if position is None else cursors.make(of, position)
    return json_response(Page(items, cursor), headers=next_link(request, cursor) if cursor is not None else None)


def next_link(request: Request, cursor: str) -> dict[str, str]:
    """The `Link` header that names the next page, relative to the server (RFC 8288, 3.1).

    The host of an absolute one would be the client's own text, and its scheme a guess behind a proxy.
    """
    # The path of a scope is decoded: tags of any script have to be encoded again to go into a header.
    path, query = quote(request.scope["path"]), request.scope["query_string"].decode("latin-1")
    url = URL(f"{path}?{query}").include_query_params(cursor=cursor)
    return {"Link": f'<{url}>; rel="next"'}
