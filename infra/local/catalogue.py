"""All engines by name. A module is imported when its engine is needed, so one engine needs no client of another."""

from __future__ import annotations

from importlib import import_module

from .engine import LocalEngine

_CLASSES = {"kafka": "Kafka", "cassandra": "Cassandra", "redis": "Redis", "postgres": "Postgres", "s3": "S3"}

NAMES = tuple(_CLASSES)


def engine(name: str) -> LocalEngine:
    """Return an engine by its name."""
    made: LocalEngine = getattr(import_module(f".{name}", __package__), _CLASSES[name])()
    return made
