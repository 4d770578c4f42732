"""Tests that can go on for as long as one likes: a short form in `make test`, a long one in `make campaigns`."""

from __future__ import annotations

import os
from typing import TypeVar

Form = TypeVar("Form")


def form(short: Form, long: Form) -> Form:
    """The form that this run wants."""
    return long if os.environ.get("MINITWITTER_TEST_LONG") else short
