"""The server under test, with routes that answer a constant: the limit of this machine and server.

Run as `python -m bench.server --data DIR --port N --constant FILE`. The constants use the same path as the hot routes:
the same edge, the same authentication, and answers of the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import uvloop

import runtime.app
from rest.bodies import read_body
from rest.edge import Hot, Match
from rest.exchange import JSON, Exchange, PlainResponse, Receive, Scope
from runtime.app import CommandSide
from runtime.embedded.serve import Demo, serve
from runtime.query_side import QuerySide
from runtime.settings import load
from runtime.telemetry import configure

CONSTANT = "/api/v1/constant/"
_OFTEN = 1_000_000_000


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--constants", type=Path, required=True, help="a folder; each file is served by its name")
    given = parser.parse_args()
    original = runtime.app.matcher

    def matcher(command: CommandSide | None, query_side: QuerySide | None) -> Match:
        match = original(command, query_side)

        def with_constants(method: str, path: str, query: bytes) -> tuple[str, Hot] | None:
            if path.startswith(CONSTANT):
                return CONSTANT, constant
            return match(method, path, query)

        return with_constants

    cache: dict[str, bytes] = {}

    async def constant(exchange: Exchange, scope: Scope, receive: Receive) -> PlainResponse:
        exchange.signed_in()
        if scope["method"] == "POST":
            await read_body(receive, 65_536)
        name = scope["path"].rpartition("/")[2]
        body = cache.get(name)
        if body is None:
            body = cache[name] = (given.constants / name).read_bytes()
        return PlainResponse(200, body, [JSON])

    runtime.app.matcher = matcher
    limits = {
        "reads_a_minute": _OFTEN,
        "writes_a_minute": _OFTEN,
    }  # the speed is measured, not the limits
    settings = load({"data": given.data, "port": given.port, "rate_limits": limits}).settings
    configure("warning", "bench")
    uvloop.run(serve(settings, demo=Demo.NONE, say=lambda line: None))


if __name__ == "__main__":
    main()
