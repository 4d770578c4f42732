"""Find the producers and handlers of each event in the code, so that the documents match it.

Handlers come from the tables that `@on` makes, producers from the calls that construct the event's class.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import events.codec  # noqa: F401  # it imports every module of events, which fills the registry
from events.event import BY_CLASS, BY_NAME, Event, Handles

ROOT = Path(__file__).resolve().parents[1]
HANDLING = ("command_api.decision_state", "projectors", "streams")
"""Modules and packages with classes that have `@on` methods."""
MAKING = ("command_api", "projectors", "streams", "query_api", "runtime")
"""Packages that may construct events."""


class Handler(NamedTuple):
    """A method that handles an event: `projectors.user_timelines`, `UserTimelines`, `posted`."""

    module: str
    owner: str
    method: str


@functools.cache
def handlers() -> dict[type[Event], list[Handler]]:
    """Return every event's handlers, sorted; the list of an event without handlers is empty."""
    for name in HANDLING:
        module = importlib.import_module(name)
        for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
            importlib.import_module(found.name)
    table: dict[type[Event], list[Handler]] = {cls: [] for cls in BY_CLASS}
    for owner in _descendants(Handles):
        if owner.__module__.startswith(HANDLING) and not inspect.isabstract(owner):
            for event, method in owner.handlers.items():
                table[event].append(Handler(owner.__module__, owner.__name__, method.__name__))
    return {event: sorted(set(found)) for event, found in table.items()}


def _descendants(cls: type[Handles]) -> Iterator[type[Handles]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


@functools.cache
def producers() -> dict[type[Event], list[str]]:
    """Return the modules that construct each event, sorted."""
    table: dict[type[Event], set[str]] = {cls: set() for cls in BY_CLASS}
    for path in _sources(MAKING):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for name in _called(ast.parse(path.read_text())):
            if name in BY_NAME:
                table[BY_NAME[name].cls].add(module)
    return {event: sorted(modules) for event, modules in table.items()}


def _sources(rooms: Iterable[str]) -> Iterator[Path]:
    for room in rooms:
        yield from sorted((ROOT / room).rglob("*.py"))


def _called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr
