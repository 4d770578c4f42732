"""Calls of functions of a module, noted and made."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
G = TypeVar("G")


def noting(calls: list[object], call: Callable[P, T]) -> Callable[P, T]:
    """Return a function that notes each call of `call`, and makes it."""

    def noted(*args: P.args, **named: P.kwargs) -> T:
        calls.append(call)
        return call(*args, **named)

    return noted


def noting_given(given: list[G], call: Callable[[G], T]) -> Callable[[G], T]:
    """Return a function that notes what each call of `call` is given, and makes it."""

    def noted(one: G) -> T:
        given.append(one)
        return call(one)

    return noted
