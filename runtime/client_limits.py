"""Builds the limits of one client from the settings, in the same way for every serving process."""

from __future__ import annotations

from collections.abc import Mapping

from rest.addresses import networks_of
from rest.admission import Admission, Budgets
from rest.bodies import Bodies
from rest.rate_limits import RateLimits, RatePolicy
from runtime.settings import Settings

_SMALL = 32 << 20
"""The maximum size of bodies that are no files, in bytes."""


def budgets(settings: Settings) -> Budgets:
    """Return the budgets of requests."""
    limits = settings.rate_limits

    def a_minute(name: str, quota: int) -> RatePolicy:
        return RatePolicy(name, quota, 60, quota)

    return Budgets(
        anonymous_reads=a_minute("anonymous-reads", limits.anonymous_reads_a_minute),
        anonymous_writes=a_minute("anonymous-writes", limits.anonymous_writes_a_minute),
        reads=a_minute("reads", limits.reads_a_minute),
        writes=a_minute("writes", limits.writes_a_minute),
        files=a_minute("files", limits.files_a_minute),
    )


def admission(settings: Settings, *, shared: RateLimits, own: RateLimits) -> Admission:
    """Return the admission of requests, with `shared` limits of all processes and this process's `own`."""
    return Admission(budgets(settings), shared=shared, own=own, scrapers=networks_of(settings.metrics_from))


def bodies(settings: Settings, longer: Mapping[str, int]) -> Bodies:
    """Return the bounds of bodies; `longer` are the paths that accept files."""
    room = _SMALL + settings.media.uploads_at_once * max((0, *longer.values()))
    return Bodies(most_bytes=settings.max_body_bytes, longer=longer, room=room)
