"""Sends batches to the process that owns the log, and sums up their results."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from runtime.importing.messages import Import, Imported

Execute = Callable[[Import], AsyncIterator[object]]
"""Executes a batch and yields an Imported: by a server over its socket, or in this process."""

ROWS_A_BATCH = 250


@dataclass
class Summary:
    """The result of an import. `refused` are rows that were left out, `differing` rows that differ from an imported
    tweet with the same id: (line, reason).
    """

    rows: int = 0
    new: int = 0
    there: int = 0
    duplicates: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    differing: list[tuple[int, str]] = field(default_factory=list)

    @property
    def good(self) -> int:
        """Return the number of rows that are imported now or were before."""
        return self.rows - len(self.refused)

    def refuse(self, line: int, reason: str) -> None:
        """Add a row that is left out."""
        self.refused.append((line, reason))

    def differ(self, line: int, reason: str) -> None:
        """Add a row that differs from the imported tweet with its id. The first version stays."""
        self.differing.append((line, reason))


async def hand_over(
    execute: Execute, batches: Iterable[Import], summary: Summary, advance: Callable[[int], None]
) -> None:
    """Send batches one after the other; `advance` receives the number of commands of each."""
    for batch in batches:
        async for reply in execute(batch):
            if isinstance(reply, Imported):
                summary.new += reply.new
                summary.there += reply.there
                for line, reason in reply.refused:
                    summary.refuse(line, reason)
                advance(reply.new + reply.there + len(reply.refused))
