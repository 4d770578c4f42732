"""Admission: every request counts against a budget before anything is done for it.

Signed-in clients have budgets by account, all others by address. A budget is a token bucket far above the use of a
person. Routes with lower limits (tweets, follows, failed sign-ins) check these themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from .addresses import Networks, is_in
from .authentication import NotSignedIn, Viewer
from .exchange import Exchange
from .problems import ProblemError
from .rate_limits import RateLimits, RatePolicy

API = "/api/v1"
METRICS = "/metrics"
_PROBES = frozenset(("/healthz", "/readyz"))
_FILES = ("/media/", "/media-store/")
_READS = frozenset(("GET", "HEAD"))
_REFUSED = frozenset(("too-many",))
_REFUSED_READS = frozenset(("too-many", "not-signed-in"))
_REFUSED_SCRAPERS = frozenset(("not-allowed",))


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of an account or an address, by kind of request."""

    anonymous_reads: RatePolicy
    anonymous_writes: RatePolicy
    reads: RatePolicy
    writes: RatePolicy
    files: RatePolicy


def refusals(method: str, path: str) -> frozenset[str]:
    """Return the problems with which `Admission` refuses requests for a path."""
    if path.startswith(API):
        return _REFUSED_READS if method in _READS else _REFUSED
    if path in _PROBES:
        return frozenset()
    return _REFUSED_SCRAPERS if path == METRICS else _REFUSED


class Admission:
    """Admits requests. `shared` are the limits of all processes together, `own` those of this process.

    Only reads of clients that are not signed in count in all processes; for other requests a query to the shared store
    would cost too much. `scrapers` are the networks that may read the metrics.
    """

    def __init__(self, budgets: Budgets, *, shared: RateLimits, own: RateLimits, scrapers: Networks) -> None:
        self._anonymous_reads = (budgets.anonymous_reads,)
        self._anonymous_writes = (budgets.anonymous_writes,)
        self._reads = (budgets.reads,)
        self._writes = (budgets.writes,)
        self._files = (budgets.files,)
        self._shared = shared
        self._own = own
        self._scrapers = scrapers

    async def admit(self, method: str, path: str, exchange: Exchange) -> None:
        """Count a request. Raises TooMany, ProblemError, and NotSignedIn for a read with invalid credentials."""
        if not path.startswith(API):
            await self._admit_to_root(method, path, exchange)
            return
        reads = method in _READS
        viewer: Viewer | None = None
        refused: NotSignedIn | None = None
        try:
            viewer = exchange.viewer()
        except NotSignedIn as error:
            refused = error
        if viewer is not None:
            exchange.tell(await self._own.take(self._reads if reads else self._writes, viewer.account))
        elif not reads:
            exchange.tell(await self._own.take(self._anonymous_writes, exchange.network))
        else:
            await self._admit_anonymous_read(exchange)
        if refused is not None and reads:  # not for writes: a client with an expired token must be able to refresh it
            raise refused

    async def _admit_to_root(self, method: str, path: str, exchange: Exchange) -> None:
        if path in _PROBES:
            return
        if path == METRICS:
            if not is_in(self._scrapers, exchange.address):
                raise ProblemError("not-allowed", "metrics are for the addresses in the setting metrics_from")
        elif path.startswith(_FILES) and method in _READS:
            exchange.tell(await self._own.take(self._files, exchange.network))
        elif method in _READS:
            await self._admit_anonymous_read(exchange)
        else:
            exchange.tell(await self._own.take(self._anonymous_writes, exchange.network))

    async def _admit_anonymous_read(self, exchange: Exchange) -> None:
        exchange.tell(await self._shared.take(self._anonymous_reads, exchange.network))
