"""The OpenAPI document is complete, its examples are valid, and schemathesis finds that the server follows it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from query_api.stream_events import EVENTS
from tests.campaigns import form
from tests.integration import running
from tests.integration.running import Serving
from tests.scenarios.people import Json
from tests.scenarios.service import Service

HERE = Path(__file__).parent


@pytest.fixture
async def document(http: httpx.AsyncClient) -> Json:
    found: dict[str, Any] = (await http.get("http://test/openapi.json")).json()
    return found


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def validator(document: Json, schema: Json) -> Draft202012Validator:
    whole = {"components": document["components"], **schema}
    Draft202012Validator.check_schema(whole)
    return Draft202012Validator(whole, format_checker=FormatChecker())


async def test_every_operation_says_what_it_does_and_how_it_fails(document: Json) -> None:
    found = dict(operations(document))
    assert len(found) > 55
    assert len({operation["operationId"] for operation in found.values()}) == len(found)
    for name, operation in found.items():
        assert operation["summary"], name
        assert not operation["summary"].endswith("."), name
        assert operation["description"].replace("`", "").startswith(operation["summary"]), name
        assert operation["tags"], name
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (name, parameter["name"])
        problems = {
            status: answer
            for status, answer in operation["responses"].items()
            if "application/problem+json" in answer.get("content", {})
        }
        # test_routes_declare_problems.py holds that these are all, and none too many.
        assert problems, name
        for status, answer in problems.items():
            assert str(answer["content"]["application/problem+json"]["example"]["status"]) == status, name
        assert "security" in operation, name
        assert "`" not in operation["summary"], name
        if name in ("POST /api/v1/auth/register", "POST /api/v1/auth/login", "POST /api/v1/auth/refresh"):
            assert operation["security"] == [], name
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", operation["operationId"]), name
        assert "\n  " not in operation["description"], name


Security = list[dict[str, list[str]]]
NEEDED: Security = [{"bearer": []}]
OPTIONAL: Security = [{}, {"bearer": []}]
UNUSED: Security = []


@pytest.mark.parametrize(
    ("security", "statuses", "names"),
    [
        (NEEDED, {"401", "429"}, ("GET /api/v1/feed", "POST /api/v1/tweets", "GET /api/v1/media/{id}")),
        (OPTIONAL, {"401", "429"}, ("GET /api/v1/public", "GET /api/v1/trends", "GET /media/{id}/{variant}")),
        (UNUSED, {"429"}, ("GET /", "GET /problems/{slug}", "GET /schemas/{topic}/{name}")),
        (UNUSED, {"429"}, ("GET /.well-known/jwks.json", "POST /api/v1/auth/login")),
        (UNUSED, {"403"}, ("GET /metrics",)),
        (UNUSED, set(), ("GET /healthz", "GET /readyz")),
    ],
)
async def test_an_operation_says_whether_it_takes_a_token(
    document: Json, security: list[Json], statuses: set[str], names: tuple[str, ...]
) -> None:
    found = dict(operations(document))
    for name in names:
        assert found[name]["security"] == security, name
        assert statuses <= found[name]["responses"].keys(), name


async def test_the_document_is_valid_openapi(document: Json) -> None:
    validate(document, cls=OpenAPIV31SpecValidator)
    assert document["servers"] == [{"url": "/", "description": "The server of this document"}]


async def test_every_property_says_what_it_is(document: Json) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert "\n  " not in schema["description"], name
        for field, inner in schema.get("properties", {}).items():
            assert inner.get("description"), (name, field)
            assert {} not in inner.get("anyOf", ()), (name, field)


async def test_what_is_always_sent_is_required(document: Json, http: httpx.AsyncClient) -> None:
    schemas = document["components"]["schemas"]
    for name in ("Tweet", "Entities", "User", "Notification", "TweetPage", "Conversation"):
        assert schemas[name]["required"] == list(schemas[name]["properties"]), name
    assert "errors" not in schemas["ProblemBody"]["required"]


async def test_web_sockets_and_rate_limits_are_in_the_document(document: Json) -> None:
    frames = document["paths"]["/api/v1/ws"]["get"]["responses"]["101"]["content"]["application/json"]["schema"]
    assert [frame["properties"]["event"]["const"] for frame in frames["oneOf"]] == [*EVENTS, "reset", "still-here"]
    posting = document["paths"]["/api/v1/tweets"]["post"]["responses"]
    for status in ("201", "429"):
        assert {"RateLimit", "RateLimit-Policy"} <= posting[status]["headers"].keys()


async def test_every_body_and_every_path_has_an_example_that_is_valid(document: Json) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            examples = parameter["schema"].get("examples", ())
            assert examples or parameter["in"] != "path", (name, parameter["name"])
            for example in examples:
                validator(document, parameter["schema"]).validate(example)
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for answer in [*bodies, *operation["responses"].values()]:
            for kind, content in answer.get("content", {}).items():
                assert "example" in content, (name, kind)
                if kind != "text/event-stream" and kind != "text/plain":
                    validator(document, content["schema"]).validate(content["example"])


async def test_the_document_has_no_schema_that_nothing_refers_to(document: Json) -> None:
    said = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in said, name


async def test_bounds_of_numbers_are_told(document: Json) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            if parameter["schema"].get("type") == "integer":
                assert {"minimum", "maximum"} <= parameter["schema"].keys(), (name, parameter["name"])


async def test_no_description_quotes_python(document: Json) -> None:
    for name, operation in operations(document):
        for word in ("Raises", "None", "msgspec", "FastAPI"):
            assert word not in operation["description"], name


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    limits = ("FOLLOWS_A_DAY", "FAILED_SIGN_INS_AN_HOUR", "UPLOADS_A_DAY")
    environment = running.environment() | {f"MINITWITTER_RATE_LIMITS__{limit}": "1000000" for limit in limits}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "environment", lambda: environment)
        with Serving(tmp_path / "data") as server:
            server.join("tester")
            yield server


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing", "stateful"])
def test_a_live_server_keeps_the_document(server: Serving, phases: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "--config-file",
            HERE / "schemathesis.toml",
            "run",
            f"{server.url}/openapi.json",
            "--checks",
            "all",
            "--phases",
            phases,
            *form([], ["--max-examples", "300"]),
        ],
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py"), "TESTED": server.url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert '"level":"error"' not in server.log()


@pytest.mark.slow
def test_the_service_of_the_tests_has_the_same_document(server: Serving, document: Any, service: Service) -> None:
    assert server.http.get("/openapi.json").json() == document
