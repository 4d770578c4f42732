"""The OpenAPI document: FastAPI's, completed with the facts that FastAPI does not know.

Responses are msgspec structs, so their schemas come from msgspec. Every operation gets its possible problems, its
security, the headers of its responses, and examples. `@answers` declares a route's response, `@problems` its problems
(route_problems.py), `@revalidated` its `ETag`, `@tells` its events. The function's name is the name of the operation in
generated clients: `post_tweet` becomes `postTweet`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from .admission import refusals
from .answer_schemas import schemas_of
from .examples import REQUEST_ID, example_of, example_of_schema
from .problems import MEDIA_TYPE, PROBLEMS, FieldError, Problem, ProblemBody
from .route_problems import honours_keys, problems_of, reads_of
from .routing import needs_sign_in, query_names

F = TypeVar("F", bound=Callable[..., Any])

_CONSISTENCY_TOKEN: dict[str, Any] = {
    "name": "Consistency-Token",
    "in": "header",
    "required": False,
    "description": "Tokens of writes, separated by commas: the read waits a short time until it includes these writes",
    "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_-]+(, ?[A-Za-z0-9_-]+)*$"},
}
_IDEMPOTENCY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A key that you choose; the same key and body return the same response for 24 hours",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of your copy: 304 if it is still current",
    "schema": {"type": "string"},
}


def _header(description: str, *, always: bool = True, pattern: str | None = None) -> dict[str, Any]:
    schema = {"type": "string"} if pattern is None else {"type": "string", "pattern": pattern}
    return {"description": description, "required": always, "schema": schema}


_REQUEST_ID = _header("The id of this request: yours, if you sent one")
_TOKEN = _header("Send it with a read: the read waits for this write", pattern="^[A-Za-z0-9_-]+$")
_REPLAYED = _header("`true` if the response is repeated from an earlier request", always=False)
_STALE = _header(
    "`stale` if the read lacks writes of its Consistency-Token, or is seconds behind the log", always=False
)
_ETAG = _header("The tag of this version of the resource", pattern='^"[0-9a-z-]+"$')
_LINK = _header("The address of the next page, `rel=next`", always=False)
_CHALLENGE = _header("How to sign in", pattern="^Bearer ")
_RETRY = _header("Seconds to wait", pattern="^[0-9]+$")
_RATE_LIMITS = {
    "RateLimit-Policy": _header("The limits that this request counts towards (RFC 9651 list)", always=False),
    "RateLimit": _header("The rest of each limit, and the seconds until it is full again", always=False),
}
_BEARER = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
_BEARER["bearer"]["description"] = "The `access_token` of /auth/login, /auth/register or /auth/refresh"


def answers(shape: Any, status: int = 200) -> Callable[[F], F]:
    """Declare the response of a route: a msgspec struct, or a Page of one."""

    def mark(endpoint: F) -> F:
        endpoint.__dict__["answers"] = (status, shape)
        return endpoint

    return mark


def revalidated(endpoint: F) -> F:
    """Declare that a route returns an `ETag` and honours `If-None-Match`."""
    endpoint.__dict__["revalidated"] = True
    return endpoint


def tells(events: Mapping[str, Any]) -> Callable[[F], F]:
    """Declare the events that a route streams, with the type of each event's data; None for no data."""

    def mark(endpoint: F) -> F:
        endpoint.__dict__["tells"] = events
        return endpoint

    return mark


def document(app: FastAPI, description: str) -> dict[str, Any]:
    """Return the document of all routes of `app`."""
    openapi = get_openapi(title=app.title, version=app.version, description=description, routes=app.routes)
    routes = [route for route in routed(app) if route.include_in_schema]
    shapes = _shapes(routes)
    schemas, components = schemas_of(shapes)
    by_shape = dict(zip((repr(shape) for shape in shapes), schemas, strict=True))
    openapi.setdefault("components", {}).setdefault("schemas", {}).update(components)
    openapi["components"]["securitySchemes"] = _BEARER
    openapi["servers"] = [{"url": "/", "description": "The server of this document"}]
    for name in ("HTTPValidationError", "ValidationError"):
        openapi["components"]["schemas"].pop(name, None)
    for route in routes:
        path = route.path_format
        for method in route.methods or ():
            operation = openapi["paths"][path].get(method.lower())
            if operation is not None:
                _complete(operation, route, method, by_shape)
                _add_body_example(operation, openapi["components"]["schemas"])
        if (events := getattr(route.endpoint, "tells", None)) is not None:
            # FastAPI's schema is a string, which tools for streams take for the schema of one event.
            operation["responses"]["200"]["content"]["text/event-stream"].pop("schema")
            openapi["paths"][path.removesuffix("/stream") + "/ws"] = {"get": _web_socket(operation, events, by_shape)}
    return openapi


def _web_socket(stream: dict[str, Any], events: Mapping[str, Any], by_shape: dict[str, Any]) -> dict[str, Any]:
    """Return the operation of /ws, which sends the events of /stream; FastAPI's document leaves WebSockets out."""
    frames = [
        {
            "type": "object",
            "title": f"{name} frame",
            "properties": {
                "event": {"const": name, "type": "string", "description": "The name of the event."},
                "id": {"type": "string", "description": "Send it as `last_event_id` to continue after this event."},
                "data": {"type": "null"} if shape is None else by_shape[repr(shape)],
            },
            "required": ["event", "id", "data"],
        }
        for name, shape in events.items()
    ]
    ticket, *_ = (parameter for parameter in stream["parameters"] if parameter["name"] == "ticket")
    last = {
        "name": "last_event_id",
        "in": "query",
        "required": False,
        "description": "The id of the last event that was received",
        "schema": {"type": "string", "maxLength": 2000},
    }
    upgraded = {"schema": {"oneOf": frames}, "example": {"event": "still-here", "id": "kJ1nZ3Jh", "data": None}}
    return {
        "tags": stream["tags"],
        "summary": "Follow the same events over a WebSocket",
        "description": "Follow the same events over a WebSocket.\n\nEach frame is one event, as JSON. A refused"
        " connection is closed with 4401 without valid credentials, with 4429 above a limit, and with 4400 otherwise.",
        "operationId": "webSocket",
        "parameters": [ticket, last],
        "responses": {
            "101": {"description": "Events as they happen, one per frame", "content": {"application/json": upgraded}},
            **_problem_responses(("not-signed-in", "not-found", "too-many")),
        },
        "security": [{}, {"bearer": []}],
    }


def _operation_id(endpoint: Callable[..., Any]) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), endpoint.__name__)


def routed(app: FastAPI) -> Iterator[APIRoute]:
    """Yield the routes made by `router`."""
    return (route for route in app.routes if isinstance(route, APIRoute))


def _shapes(routes: list[APIRoute]) -> list[Any]:
    shapes: dict[str, Any] = {repr(ProblemBody): ProblemBody, repr(FieldError): FieldError}
    for route in routes:
        _, shape = getattr(route.endpoint, "answers", (200, None))
        for each in (shape, *getattr(route.endpoint, "tells", {}).values()):
            if each is not None:
                shapes[repr(each)] = each
    return list(shapes.values())


def _complete(operation: dict[str, Any], route: APIRoute, method: str, by_shape: dict[str, Any]) -> None:
    doc = inspect.cleandoc(route.endpoint.__doc__ or "")
    operation["operationId"] = _operation_id(route.endpoint)
    operation["summary"] = doc.split("\n")[0].rstrip(".").replace("`", "")  # readers show it as plain text
    operation["description"] = doc
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    status, shape = getattr(route.endpoint, "answers", (route.status_code or 200, None))
    if shape is not None:
        responses.pop(str(route.status_code or 200), None)
        responses[str(status)] = {
            "description": doc.split("\n")[0],
            "content": {"application/json": {"schema": by_shape[repr(shape)], "example": example_of(shape)}},
        }
    tags = getattr(route.endpoint, "revalidated", False)
    failures = problems_of(route, method)
    headers = _headers(route, method, tags=tags)
    responses[str(status)].setdefault("headers", {}).update(headers)
    if tags:
        responses["304"] = {"description": "Your copy is current", "headers": headers}
    for code, response in _problem_responses(failures).items():
        responses.setdefault(code, response)
    if needs_sign_in(route.dependant):
        operation["security"] = [{"bearer": []}]
    else:
        # If a route does not use the viewer, the token still decides which limits the request counts towards.
        operation["security"] = [{}, {"bearer": []}] if "not-signed-in" in failures else []
    parameters = [_without_null(parameter) for parameter in operation.pop("parameters", ())]
    parameters += _header_parameters(route, tags=tags)
    if parameters:
        operation["parameters"] = parameters


def _header_parameters(route: APIRoute, *, tags: bool) -> list[dict[str, Any]]:
    parameters = [_CONSISTENCY_TOKEN] if reads_of(route.endpoint) else []
    if tags:
        parameters.append(_IF_NONE_MATCH)
    if honours_keys(route):
        parameters.append(_IDEMPOTENCY)
    return parameters


def _headers(route: APIRoute, method: str, *, tags: bool) -> dict[str, Any]:
    """Return the headers of a successful response."""
    headers = {"X-Request-Id": _REQUEST_ID}
    if "too-many" in refusals(method, route.path):
        headers |= _RATE_LIMITS
    if method != "GET":
        headers["Consistency-Token"] = _TOKEN
    if reads_of(route.endpoint):
        headers["Consistency"] = _STALE
    if honours_keys(route):
        headers["Idempotency-Replayed"] = _REPLAYED
    if tags:
        headers["ETag"] = _ETAG
    if "cursor" in query_names(route.dependant):
        headers["Link"] = _LINK
    return headers


def _without_null(parameter: dict[str, Any]) -> dict[str, Any]:
    """Remove null from the schema of an optional parameter: it is left out, never sent as null."""
    schema = dict(parameter["schema"])
    schema.pop("title", None)
    for kind in schema.pop("anyOf", ()):
        if kind != {"type": "null"}:
            schema.update(kind)
    return {**parameter, "schema": schema}


def _add_body_example(operation: dict[str, Any], components: dict[str, Any]) -> None:
    body = operation.get("requestBody")
    content = body["content"].get("application/json") if body is not None else None
    if content is not None:
        content["example"] = example_of_schema(operation["operationId"], content["schema"], components)


def _problem_responses(slugs: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the responses of some problems, by status. Problems with the same status share a response."""
    by_status: dict[int, list[Problem]] = {}
    for problem in PROBLEMS.values():
        if problem.slug in slugs:
            by_status.setdefault(problem.status, []).append(problem)
    return {str(status): _problem_response(status, by_status[status]) for status in sorted(by_status)}


def _problem_response(status: int, kinds: Sequence[Problem]) -> dict[str, Any]:
    headers = {"X-Request-Id": _REQUEST_ID}
    headers |= {
        401: {"WWW-Authenticate": _CHALLENGE},
        429: {"Retry-After": _RETRY, **_RATE_LIMITS},
        503: {"Retry-After": _RETRY},
    }.get(status, {})
    return {
        "description": " / ".join(kind.title for kind in kinds),
        "headers": headers,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemBody"},
                "example": {
                    "type": f"/problems/{kinds[0].slug}",
                    "title": kinds[0].title,
                    "status": status,
                    "detail": kinds[0].advice,
                    "instance": REQUEST_ID,
                },
            }
        },
    }
