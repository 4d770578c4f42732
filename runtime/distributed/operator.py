"""What an operator has decided in the distributed profile: a process beside the others, for one command."""

from __future__ import annotations

from runtime.distributed.command_store import DistributedCommandStore
from runtime.distributed.settings import DecisionSettings
from runtime.operator_requests import OperatorRequest, execute
from runtime.settings import Settings


async def execute_in(settings: Settings, request: OperatorRequest) -> str:
    """Execute a request; return a sentence about what it did. Raises Refused, BadSettings, LogUnavailable."""
    async with DistributedCommandStore.open(DecisionSettings.of(settings)) as command_store:
        return await execute(command_store.store, lambda: command_store.passwords, request)
