"""What an operator has a process decide for them, in the same way in both profiles."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from command_api.deciding import CommandStore, Context
from command_api.domain.change_role import CHANGE_ROLE, ChangeRole
from command_api.domain.claim_account import CLAIM_ACCOUNT, ClaimAccount
from command_api.domain.errors import AccountNotFound
from command_api.domain.open_sealed_fields import OPEN_SEALED_FIELDS, OpenSealedFields
from command_api.facts import Account, AccountNamed
from command_api.passwords import Passwords, check_password
from events.accounts import Role
from runtime.command_answers import NEW, WhetherNew


class Claim(msgspec.Struct, frozen=True, tag=True):
    """Give an imported account a password."""

    username: str
    password: str


class GiveRole(msgspec.Struct, frozen=True, tag=True):
    """Give an account a role."""

    username: str
    role: Role


class NoteOpening(msgspec.Struct, frozen=True, tag=True):
    """Note in the log that sealed fields of these topics are opened, by whom and what for."""

    by: str
    topics: tuple[str, ...]
    purpose: str


OperatorRequest = Claim | GiveRole | NoteOpening


async def execute(commands: CommandStore, passwords: Callable[[], Passwords], request: OperatorRequest) -> str:
    """Execute a request, and return a sentence about what it did. Raises Refused, LogUnavailable."""
    if isinstance(request, NoteOpening):
        opening = OpenSealedFields(request.by, request.topics, request.purpose)
        await commands.execute(OPEN_SEALED_FIELDS, opening, Context(), WhetherNew())
        return "the log says who opens sealed fields"
    named = AccountNamed(request.username)
    account = (await commands.ask(named))[named]
    if account is None:
        raise AccountNotFound(request.username)
    if isinstance(request, Claim):
        return await _claim(commands, passwords(), account, request.password)
    return await _give_role(commands, account, request.role)


async def _claim(commands: CommandStore, passwords: Passwords, account: Account, password: str) -> str:
    check_password(password, account.username)
    command = ClaimAccount(account.id, await passwords.hash(password))
    await commands.execute(CLAIM_ACCOUNT, command, Context(actor=account.id), WhetherNew())
    return f"{account.username} can sign in now"


async def _give_role(commands: CommandStore, account: Account, role: Role) -> str:
    outcome = await commands.execute(CHANGE_ROLE, ChangeRole(account.id, role), Context(), WhetherNew())
    return f"{account.username} has the role {role}" + (" now" if outcome.answer == NEW else " already")
