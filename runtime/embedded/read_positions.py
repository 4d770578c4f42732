"""The positions of the read models, as the serving process knows them, and the requests that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from events.consistency_token import ConsistencyToken
from events.log import Positions, TopicPartition
from projectors.catalogue import SAY_AS_OF
from rest.exchange import Reads
from stores.groups import ANALYTICS, SERVING


class ReadPositions:
    """The positions of each group. Consistency-Tokens wait for those of `serving`."""

    def __init__(self) -> None:
        self.positions: dict[str, Positions] = {SERVING: Positions(), ANALYTICS: Positions()}
        self._waiting: list[tuple[Mapping[TopicPartition, int], asyncio.Future[bool]]] = []
        self.on_advance: list[Callable[[str, Positions], None]] = []
        """Called with the group and its positions after each advance, so that streams look for new events."""
        self.lags: Callable[[str], bool] = lambda group: False
        """Returns whether a group is seconds behind the log. Set by a server whose views another process advances."""

    def advance(self, group: str, positions: Positions) -> None:
        """Note that a group's rows up to `positions` can be read from now on."""
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
        """Return whether the serving read models are seconds behind the log. They all advance together."""
        return not SAY_AS_OF.issuperset(reads) and self.lags(SERVING)

    async def wait_for(self, token: ConsistencyToken, timeout: float, reads: Reads = ("tweets",)) -> bool:
        """Wait until the serving read models have applied a token's writes; return False after `timeout` seconds.

        They all advance together, so `reads` does not matter. In this profile no token names outbox rows.
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
