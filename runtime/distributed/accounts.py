"""`minitwitter accounts` in the distributed profile: a process that decides beside the others, for one command."""

from __future__ import annotations

from runtime.account_requests import AccountRequest, manage
from runtime.distributed.command_store import DistributedCommandStore
from runtime.distributed.settings import DecisionSettings
from runtime.settings import Settings


async def manage_account(settings: Settings, request: AccountRequest) -> str:
    """Execute a request; return a sentence about what it did. Raises Refused, BadSettings, LogUnavailable."""
    async with DistributedCommandStore.open(DecisionSettings.of(settings)) as command_store:
        return await manage(command_store.store, lambda: command_store.passwords, request)
