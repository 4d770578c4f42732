"""The garbage collector, as processes want it that work for long and make little that refers to itself."""

from __future__ import annotations

import gc


def settle() -> None:
    """Take what starting left out of the collector's sight, which would look through it at every full round.

    What a request or a batch makes is mostly gone by reference count, so rounds can be rarer, too. Together that is 5
    to 10 % of a write, and a third of reading the log: 59,300 events a second instead of 39,700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
