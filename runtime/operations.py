"""Operations, at the root: alive, ready, metrics, problems explained, schemas of events."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, generate_latest

from events.topics import TOPICS
from rest.openapi import answers
from rest.problems import PROBLEMS, ProblemError
from rest.route_problems import problems
from rest.routing import json_response, router

from .readiness import Parts, Readiness


class Health(msgspec.Struct, frozen=True):
    """The process is alive."""

    status: str
    """Always `alive`."""


class Explanation(msgspec.Struct, frozen=True):
    """What a problem means and what to do about it."""

    type: str
    """The path that explains this kind of problem."""
    status: int
    """The status that it is answered with."""
    title: str
    """What this kind of problem is called."""
    advice: str
    """What to do about it."""


_SCHEMA = {"title": "TweetPosted", "type": "object", "properties": {"text": {"type": "string"}}}
_METRICS = "# HELP minitwitter_streams Open streaming connections.\n# TYPE minitwitter_streams gauge\n"


def operations(parts: Parts, registry: CollectorRegistry) -> APIRouter:
    """The routes; `parts` is asked at each /readyz."""
    routes = router("Operations", prefix="")

    @routes.get("/healthz")
    @answers(Health)
    async def get_health() -> Response:
        """Say that the process is alive."""
        return json_response(Health("alive"))

    @routes.get(
        "/readyz",
        responses={
            503: {
                "description": "A part is down",
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/Readiness"},
                        "example": {
                            "ready": False,
                            "state": "down",
                            "parts": [{"name": "read models", "state": "down", "detail": "views.db is being opened"}],
                        },
                    }
                },
            }
        },
    )
    @answers(Readiness)
    async def get_readiness() -> Response:
        """Say whether the process can serve, and how each part is.

        A part is `ready`, `degraded` or `down`. Degraded: it serves, and reads that are not current say so with
        `Consistency: stale`. The status is 503 where a part is down.
        """
        readiness = Readiness.of(parts())
        return json_response(readiness, 200 if readiness.ready else 503)

    @routes.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": _METRICS}}}},
    )
    async def get_metrics() -> Response:
        """Get the metrics of this process, in the Prometheus text format."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.get("/problems/{slug}")
    @answers(Explanation)
    @problems("not-found")
    async def get_problem(
        slug: Annotated[str, Path(description="As in `type` of a problem", max_length=100, examples=["not-found"])],
    ) -> Response:
        """Explain what a problem means and what to do about it."""
        problem = PROBLEMS.get(slug)
        if problem is None:
            raise ProblemError("not-found", f"there is no problem {slug}")
        return json_response(Explanation(f"/problems/{slug}", problem.status, problem.title, problem.advice))

    @routes.get(
        "/schemas/{topic}/{name}",
        response_class=Response,
        responses={200: {"content": {"application/schema+json": {"schema": {"type": "object"}, "example": _SCHEMA}}}},
    )
    @problems("not-found")
    async def get_event_schema(
        topic: Annotated[str, Path(description="A topic", max_length=100, examples=["tweets"])],
        name: Annotated[str, Path(description="As in `dataschema`", max_length=100, examples=["TweetPosted.v3.json"])],
    ) -> Response:
        """Get the JSON Schema of a version of an event, at the path that the event's `dataschema` names."""
        file = files("schemas") / topic / name
        if topic not in TOPICS or "/" in name or not name.endswith(".json") or not file.is_file():
            raise ProblemError("not-found", f"there is no schema {topic}/{name}")
        return Response(file.read_bytes(), media_type="application/schema+json")

    return routes
