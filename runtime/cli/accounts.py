"""`minitwitter accounts`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Config, Data, Port, existing, load, owner, run

if TYPE_CHECKING:
    from runtime.embedded.control import Request
    from runtime.operator_requests import OperatorRequest
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
    from runtime.operator_requests import Claim

    settings = existing(load(data, port, config).settings)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True)
    run(_print_decided(settings, Claim(name, password)))


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
    from runtime.operator_requests import GiveRole

    chosen = next((each for each in ROLES if each == role), None)
    if chosen is None:
        raise typer.BadParameter(f"there is no role {role}; the roles are {', '.join(ROLES)}", param_hint="ROLE")
    run(_print_decided(existing(load(data, port, config).settings), GiveRole(name, chosen)))


async def _print_decided(settings: Settings, request: OperatorRequest) -> None:
    sys.stdout.write(f"{await decided(settings, request)}\n")


async def decided(settings: Settings, request: OperatorRequest) -> str:
    """Have a request decided in either profile; return a sentence about it. Raises Refused, ControlFailed."""
    if settings.kafka_url is None:
        return await done(settings, request)
    from runtime.distributed.operator import execute_in

    return await execute_in(settings, request)


async def done(settings: Settings, request: Request) -> str:
    """Send a request to the owner of the data directory, the server or an engine in this process; return its answer.

    Raises ControlFailed.
    """
    from runtime.embedded.control import ControlFailed, Done, Failed

    answer = ""
    async with owner(settings) as ask:
        async for reply in ask(request):
            if isinstance(reply, Failed):
                raise ControlFailed(reply.reason)
            if isinstance(reply, Done):
                answer = reply.detail
    return answer


async def do(settings: Settings, request: Request) -> None:
    """Send a request to the owner of the data directory, and print the answer. Raises ControlFailed."""
    if answer := await done(settings, request):
        sys.stdout.write(f"{answer}\n")
