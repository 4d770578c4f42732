"""`serve query` with two more routes: a constant, and the feed with cold caches.

Run as `python -m bench.distributed.feed_server --port N`. Both take the same way as the feed: the same server, the same
edge, the same sign-in. The constant is the feed's answer to the first request for it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import runtime.app
from query_api.routes.hot import FEED_PATH
from rest.edge import Hot, Match
from rest.exchange import Exchange, PlainResponse, Receive, Scope
from runtime.app import CommandSide
from runtime.distributed.consistency.read_positions import ReadPositions
from runtime.distributed.roles.process import Process
from runtime.distributed.roles.query import QueryRole
from runtime.distributed.settings import DistributedSettings
from runtime.query_side import QuerySide
from runtime.settings import load
from runtime.telemetry import configure

NAME = "feed_server"
CONSTANT = "/api/v1/constant"
COLD = "/api/v1/cold"


def forget_all(positions: ReadPositions) -> None:
    """Invalidate every cached row, as after announcements of every group that were lost."""
    for group in positions.groups:
        positions.on_outdated(group, None)


@asynccontextmanager
async def feed_server(settings: DistributedSettings) -> AsyncIterator[QueryRole]:
    """The role of the query API with both routes, to be opened."""
    original = runtime.app.matcher
    async with QueryRole.open(settings) as role:
        kept: list[PlainResponse] = []

        def matcher(command: CommandSide | None, query_side: QuerySide | None) -> Match:
            match = original(command, query_side)

            def with_both(method: str, path: str, query: bytes) -> tuple[str, Hot] | None:
                if path not in (CONSTANT, COLD):
                    return match(method, path, query)
                found = match(method, FEED_PATH, query)
                if found is None:
                    return None
                if path == CONSTANT:
                    return CONSTANT, partial(constant, found[1])
                forget_all(role.positions)
                return found

            return with_both

        async def constant(feed: Hot, exchange: Exchange, scope: Scope, receive: Receive) -> PlainResponse:
            if not kept:
                kept.append(await feed(exchange, scope, receive))
            exchange.signed_in()
            return kept[0]

        runtime.app.matcher = matcher
        yield role


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.distributed.{NAME}", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    settings = DistributedSettings.of(load({"port": parser.parse_args().port}).settings)
    configure(settings.log_level, NAME)
    asyncio.run(Process(settings, NAME, partial(feed_server, settings), lambda line: None).run())


if __name__ == "__main__":
    main()
