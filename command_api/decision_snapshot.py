"""The state of all decisions at some positions of the log, to compare with another."""

from __future__ import annotations

from typing import NamedTuple

from events.log import Positions

Digest = dict[str, tuple[int, str]]
"""For each table: the number of rows, and a digest of them that does not depend on their order."""


class Snapshot(NamedTuple):
    """The digest of the decision state, and the positions up to which the state is folded."""

    positions: Positions
    digest: Digest
