"""Telemetry: structured logs on standard error, and counters of requests.

A line is one JSON object for programs, or words for a person at a terminal, who also gets a line for each request.
Messages of the standard library's logging (the server, libraries) have the same form. Values bound with
`structlog.contextvars` (the correlation id of a request) are in every line of that request.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from . import metrics

LONGEST_PATH = 100
"""The maximum length of an unrouted path in the log line of its request, in characters."""

_encoder = msgspec.json.Encoder(enc_hook=repr)


def _render(logger: object, method: str, event: structlog.types.EventDict) -> str:
    return _encoder.encode(event).decode()


_ABOUT_A_LINE = frozenset(("event", "level", "logger", "process", "timestamp", "exception", "correlation"))


def _read_aloud(logger: object, method: str, event: structlog.types.EventDict) -> str:
    """Format an entry in words: the time of day, the message, and its values."""
    at, level, about = str(event["timestamp"])[11:19], event["level"], dict(event)
    if event["event"] == "served":
        # A client chose the path. Escaped, it can neither move the cursor nor begin a line.
        asked = str(event.get("path") or event["route"]).encode("unicode_escape").decode("ascii")
        return "{} {:<6} {} {} {} ms".format(at, event["method"], asked, event["status"], event["ms"])
    words = [at, *([level.upper()] if level not in ("info", "debug") else []), str(event["event"])]
    words += [f"{name}={value}" for name, value in about.items() if name not in _ABOUT_A_LINE and value is not None]
    trace = event.get("exception")
    return "  ".join(words) + (f"\n{trace}" if trace else "")


def configure(level: str, process: str, *, words: bool = False) -> None:
    """Log from `level` up; `process` is the name of the process (serve, projecting, a command).

    With `words`, lines are for a person, and each request has one.
    """

    def named(logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        event["process"] = process
        return event

    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        named,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _read_aloud if words else _render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if words and root.level <= logging.INFO:
        logging.getLogger("minitwitter.requests").setLevel(logging.DEBUG)
    # It warns of each connection that we close on purpose, and of those that an outage breaks, which /readyz reports.
    logging.getLogger("psycopg.pool").setLevel(max(logging.ERROR, root.level))
    for name in ("_granian", "granian", "granian.access"):
        # Operators need the server's warnings, but not its messages about its workers.
        server = logging.getLogger(name)
        server.handlers.clear()
        server.propagate = True
        server.setLevel(max(logging.WARNING, root.level))


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; `log.info("what happened", key=value)`."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


class RequestTelemetry:
    """Counts requests and logs faults. About 2 us a request, because the labelled children are cached."""

    def __init__(self) -> None:
        self._log = logger("minitwitter.requests")
        self._verbose = logging.getLogger("minitwitter.requests").isEnabledFor(logging.DEBUG)
        self.count = 0
        """Requests answered."""
        self.on_fault: Callable[[BaseException], None] = lambda error: None
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def request(self, request_id: str, method: str, route: str, status: int, seconds: float, path: str = "") -> None:
        """Count a finished request. Log it at level `debug` (40 us), or as a warning if its status is 5xx."""
        self.count += 1
        key = (method, route, status // 100)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = (
                metrics.REQUESTS.labels(method, route, f"{status // 100}xx").inc,
                metrics.REQUEST_SECONDS.labels(route).observe,
            )
        found[0]()
        found[1](seconds)
        if status >= 500:
            self._log.warning("not served", correlation=request_id, method=method, route=route, status=status)
        elif self._verbose:
            ms = round(seconds * 1000, 3)
            asked = {"path": path[:LONGEST_PATH]} if path else {}
            self._log.debug("served", correlation=request_id, method=method, route=route, status=status, ms=ms, **asked)

    def fault(self, request_id: str, error: BaseException) -> None:
        """Log a request that failed because of a fault of ours."""
        self.on_fault(error)
        metrics.FAULTS.inc()
        self._log.error("a request failed", correlation=request_id, exc_info=error)

    def stale(self, why: str) -> None:
        """Count an answer that says that it is stale."""
        metrics.STALE.labels(why).inc()
