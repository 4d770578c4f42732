"""How hashtags are shown: as they are mostly written, and not by the key under which they are counted."""

from __future__ import annotations

from collections.abc import Collection

from events.ids import Millis
from stores.readers import Readers

_EVER = Millis(253_370_764_800_000)
"""The year 9999."""


async def as_written(readers: Readers, tags: Collection[str]) -> dict[str, str]:
    """The most used spelling of each folded tag, by its latest uses, as trends show it.

    A key is shown as it is where trends have not counted a use of it yet.
    """
    shown = await readers.trends.shown(tags, Millis(0), _EVER) if tags else {}
    return {tag: shown[tag].written if tag in shown else tag for tag in tags}
