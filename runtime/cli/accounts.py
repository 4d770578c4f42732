"""`minitwitter accounts`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Config, Data, Port, existing, load, owner, run

if TYPE_CHECKING:
    from runtime.account_requests import AccountRequest
    from runtime.embedded.control import Request
    from runtime.settings import Settings

app = typer.Typer(help="Manage accounts as an operator.", no_args_is_help=True)


@app.command()
def claim(
    name: Annotated[str, typer.Argument(help="The imported account.", metavar="NAME")],
    data: Data = None,
    port: Port = None,
    config: Config = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Give an imported account a password, so that its owner can sign in.

    Example: minitwitter accounts claim JetBlueNews --data var/data
    """
    from runtime.account_requests import Claim

    settings = existing(load(data, port, config).settings)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True)
    run(_manage(settings, Claim(name, password)))


@app.command()
def role(
    name: Annotated[str, typer.Argument(help="The account.", metavar="NAME")],
    role: Annotated[str, typer.Argument(help="user, analyst, moderator or admin.", metavar="ROLE")],
    data: Data = None,
    port: Port = None,
    config: Config = None,
) -> None:
    """Give an account a role, and so the rights of that role. It counts within five seconds in every process.

    An analyst reads the stream of events and asks as of earlier times; a moderator decides cases; an admin may do both,
    and run the processors.

    Example: minitwitter accounts role ada analyst --data var/data
    """
    from events.accounts import ROLES
    from runtime.account_requests import GiveRole

    chosen = next((each for each in ROLES if each == role), None)
    if chosen is None:
        raise typer.BadParameter(f"there is no role {role}; the roles are {', '.join(ROLES)}", param_hint="ROLE")
    run(_manage(existing(load(data, port, config).settings), GiveRole(name, chosen)))


async def _manage(settings: Settings, request: AccountRequest) -> None:
    if settings.kafka_url is None:
        await do(settings, request)
        return
    from runtime.distributed.accounts import manage_account

    sys.stdout.write(f"{await manage_account(settings, request)}\n")


async def do(settings: Settings, request: Request) -> None:
    """Send a request to the owner of the data directory, the server or an engine in this process; print the answer."""
    from runtime.embedded.control import ControlFailed, Done, Failed

    async with owner(settings) as ask:
        async for reply in ask(request):
            if isinstance(reply, Failed):
                raise ControlFailed(reply.reason)
            if isinstance(reply, Done) and reply.detail:
                sys.stdout.write(f"{reply.detail}\n")
