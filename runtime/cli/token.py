"""`minitwitter token`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Config, Data, Port, existing, load, owner, run

if TYPE_CHECKING:
    from runtime.embedded.control import TokenIssued
    from runtime.settings import Settings


def token(
    name: Annotated[str, typer.Argument(help="The account.", metavar="NAME")],
    data: Data = None,
    port: Port = None,
    config: Config = None,
) -> None:
    """Sign in to an account without its password, and print the access token.

    Only in the embedded profile, for the owner of the data directory. It starts a session, through a running server or
    without one. The token expires as any other, after 15 minutes by default.

    Example: curl -H "Authorization: Bearer $(minitwitter token ada)" http://127.0.0.1:8000/api/v1/feed
    """
    settings = load(data, port, config).settings
    if settings.kafka_url is not None:
        raise typer.BadParameter("tokens are printed in the embedded profile only; sign in with POST /auth/login")
    issued = run(_issued(existing(settings), name))
    sys.stdout.write(f"{issued.access_token}\n")
    if sys.stdout.isatty():
        sys.stderr.write(f"It expires in {issued.expires_in // 60} minutes.\n")


async def _issued(settings: Settings, name: str) -> TokenIssued:
    from runtime.embedded.control import ControlFailed, Failed, Token, TokenIssued

    async with owner(settings) as ask:
        async for reply in ask(Token(name)):
            if isinstance(reply, TokenIssued):
                return reply
            if isinstance(reply, Failed):
                raise ControlFailed(reply.reason)
    raise ControlFailed(f"the server answered nothing about {name}")
