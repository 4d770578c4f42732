"""Handing batches to the process that owns the log, and adding up their outcomes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from runtime.importing.messages import Import, Imported

Execute = Callable[[Import], AsyncIterator[object]]
"""Executes a batch and yields an Imported: by a server over its socket, or in this process."""

ROWS_A_BATCH = 250


@dataclass
class Summary:
    """What an import came to. `refused` are rows that were left out, `differing` those that say otherwise of a tweet
    that is there: (line, reason).
    """

    rows: int = 0
    new: int = 0
    there: int = 0
    duplicates: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    differing: list[tuple[int, str]] = field(default_factory=list)

    @property
    def good(self) -> int:
        """Rows that were imported, or had been."""
        return self.rows - len(self.refused)

    def refuse(self, line: int, reason: str) -> None:
        """A row that is left out."""
        self.refused.append((line, reason))

    def differ(self, line: int, reason: str) -> None:
        """A row whose tweet is there, not quite the same; the first one stays."""
        self.differing.append((line, reason))


async def hand_over(
    execute: Execute, batches: Iterable[Import], summary: Summary, advance: Callable[[int], None]
) -> None:
    """Hand batches over one after the other; `advance` is told how many commands of each are done."""
    for batch in batches:
        async for reply in execute(batch):
            if isinstance(reply, Imported):
                summary.new += reply.new
                summary.there += reply.there
                for line, reason in reply.refused:
                    summary.refuse(line, reason)
                advance(reply.new + reply.there + len(reply.refused))
