"""How far the read models have come, as the serving process knows it, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from events.consistency_token import ConsistencyToken
from events.log import Positions, TopicPartition
from projectors.catalogue import SAY_AS_OF
from rest.exchange import Reads
from stores.groups import ANALYTICS, SERVING


class ReadPositions:
    """Positions of each group. Those of `serving` are what Consistency-Tokens wait for."""

    def __init__(self) -> None:
        self.positions: dict[str, Positions] = {SERVING: Positions(), ANALYTICS: Positions()}
        self._waiting: list[tuple[Mapping[TopicPartition, int], asyncio.Future[bool]]] = []
        self.on_advance: list[Callable[[str, Positions], None]] = []
        """Called with the group and its positions whenever it advanced: a stream may have something to say."""
        self.lags: Callable[[str], bool] = lambda group: False
        """Whether a group is seconds behind the log; set by the process that has another one apply it."""

    def advance(self, group: str, positions: Positions) -> None:
        """A group's effects up to `positions` can be read from now on."""
        self.positions[group] = positions
        if group == SERVING and self._waiting:
            still = []
            for wanted, future in self._waiting:
                if future.done():
                    continue
                if positions.covers(wanted):
                    future.set_result(True)
                else:
                    still.append((wanted, future))
            self._waiting = still
        for callback in self.on_advance:
            callback(group, positions)

    def behind(self, reads: Reads) -> bool:
        """Whether the serving read models are seconds behind the log: they advance together, whichever are read."""
        return not SAY_AS_OF.issuperset(reads) and self.lags(SERVING)

    async def wait_for(self, token: ConsistencyToken, timeout: float, reads: Reads = ("tweets",)) -> bool:
        """Wait until the serving read models applied a token's writes; False when `timeout` seconds are not enough.

        They all advance together, whichever are read. No token of this profile names rows of an outbox.
        """
        if SAY_AS_OF.issuperset(reads):
            return True
        if token.rows:
            return False
        if self.positions[SERVING].covers(token.positions):
            return True
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((token.positions, future))
        handle = asyncio.get_running_loop().call_later(timeout, _give_up, future)
        try:
            return await future
        finally:
            handle.cancel()


def _give_up(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
