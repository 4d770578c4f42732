"""How bugs are planted: a piece of the real code is replaced by a broken one for as long as a run takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

Planted = AbstractContextManager[None]
MUTATIONS: dict[str, Callable[[], Planted]] = {}


def mutation(plant: Callable[[], Iterator[Any]]) -> Callable[[], Planted]:
    """Make a bug that can be planted by its name, into the simulation of the whole system."""
    MUTATIONS[plant.__name__] = planted = plantable(plant)
    return planted


def plantable(plant: Callable[[], Iterator[Any]]) -> Callable[[], Planted]:
    """A bug that is there until what `plant` enters is left again."""

    @contextmanager
    def planted() -> Iterator[None]:
        with ExitStack() as stack:
            for change in plant():
                stack.enter_context(change)
            yield

    planted.__doc__ = plant.__doc__
    return planted


def deciding(decision: Any, decide: Callable[..., Any]) -> Any:
    """Another way to decide a kind of command."""

    @contextmanager
    def replaced() -> Iterator[None]:
        right = decision.decide
        object.__setattr__(decision, "decide", decide)
        try:
            yield
        finally:
            object.__setattr__(decision, "decide", right)

    return replaced()


def without(handles: Any, event: type) -> Any:
    """Somebody who does not handle an event."""
    return patch.object(handles, "handlers", {e: h for e, h in handles.handlers.items() if e is not event})
