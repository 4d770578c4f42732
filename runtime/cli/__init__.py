"""The `minitwitter` command line: one file for each group of commands; `options.py` has their shared options.

Exit codes: 0 done; 1 something differs, or the server refused; 2 wrong usage or settings; 3 the data directory or the
address is in use; 4 the data is damaged or incompatible, or its keys are missing; 5 an error of the disk, the file
system or an engine.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Annotated

import typer

from .options import explain
from .terminal import explain_missing, explain_usage, open_standard_streams, unwrap

app = typer.Typer(
    name="minitwitter",
    help="MiniTwitter: an event-sourced microblogging backend.",
    epilog="Exit codes: 0 done, 1 differs or refused, 2 usage or settings, 3 in use, 4 data or keys, 5 disk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"minitwitter {version('minitwitter')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Set a umask of 077, so that only the owner can read the files that commands make."""
    if context.invoked_subcommand != "engines":  # some engines run as another user, who has to read their files
        before = os.umask(0o077)
        context.call_on_close(
            lambda: os.umask(before)
        )  # the umask belongs to the process, which may run other code afterwards


@cache
def build() -> typer.Typer:
    """Build the command line with all commands."""
    from . import (
        accounts,
        dead_letters,
        engines,
        events,
        imports,
        keys,
        migrate,
        rebuild,
        serve,
        settings,
        status,
        token,
        topics,
        verify,
        work,
    )

    app.command()(serve.serve)
    app.command("settings")(settings.settings)
    app.command()(status.status)
    app.command()(verify.verify)
    app.command()(rebuild.rebuild)
    app.command()(migrate.migrate)
    app.command()(token.token)
    app.add_typer(imports.app, name="import")
    app.add_typer(events.app, name="events")
    app.add_typer(dead_letters.app, name="dead-letters")
    app.add_typer(accounts.app, name="accounts")
    app.add_typer(keys.app, name="keys")
    app.add_typer(engines.app, name="engines")
    app.add_typer(topics.app, name="topics")
    app.add_typer(work.app, name="work")
    unwrap(app)
    return app


def main() -> None:
    """Run the command line. Prints an expected error as one line, without a traceback."""
    open_standard_streams()
    try:
        code = build()(prog_name="minitwitter", standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except typer.Abort:
        sys.stderr.write("minitwitter: no input was given\n")
        code = 1
    except typer.TyperException as error:
        code = explain_usage(error)
    except Exception as error:
        code = explain_missing(error) if isinstance(error, ModuleNotFoundError) else explain(error)
        if code is None:
            raise
    sys.exit(code)
