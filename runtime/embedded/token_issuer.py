"""Issues an access token for `minitwitter token`, with a new session of the account.

Anyone who may use the control socket owns the data directory and its keys, so no password is needed. The account sees
the session in its list and can end it.
"""

from __future__ import annotations

from command_api.credentials import PasswordOf
from command_api.deciding import Context, Refused
from command_api.domain.start_session import START_SESSION, NewSession, StartSession
from command_api.facts import AccountNamed
from command_api.tokens import AccessTokens, RefreshTokens
from events.ids import SessionId
from runtime.command_answers import WhetherNew
from runtime.embedded.control import Failed, Reply, Token, TokenIssued
from runtime.embedded.system import System

USER_AGENT = "minitwitter token"
_DAY_MS = 86_400_000


async def issue_token(system: System, request: Token) -> Reply:
    """Return a token, or the reason why there is none."""
    named = AccountNamed(request.username)
    account = (await system.commands.ask(named))[named]
    if account is None:
        return Failed(f"there is no account {request.username}")
    question = PasswordOf(account.id)
    password = (await system.commands.ask(question))[question]
    if password is None:
        return Failed(
            f"{account.username} was imported and nobody can sign in to it yet; give it a password first:"
            f" minitwitter accounts claim {account.username}"
        )
    settings = system.settings
    refresh = RefreshTokens(system.randomness, system.clock, settings.refresh_days * _DAY_MS, system.token_key)
    session = SessionId(system.ids.issue())
    command = StartSession(account.id, password.hash, NewSession(session, refresh.first().kept, USER_AGENT))
    try:
        await system.commands.execute(START_SESSION, command, Context(actor=account.id), WhetherNew())
    except Refused as refusal:
        return Failed(str(refusal))
    access = AccessTokens(
        system.signing_keys, system.roles, system.clock, issuer=settings.issuer, lifetime_ms=system.token_lifetime_ms
    )
    return TokenIssued(access.issue(account.id, session), access.lifetime_s)
