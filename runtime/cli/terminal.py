"""What a terminal is owed: help that wraps, one style of error, streams that are closed or end early."""

from __future__ import annotations

import inspect
import os
import sys

import typer


def unwrap(app: typer.Typer) -> None:
    """Let the help of every command wrap where the terminal does, not where its docstring does."""
    for command in app.registered_commands:
        paragraphs = (inspect.getdoc(command.callback) or "").split("\n\n")
        command.help = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            unwrap(group.typer_instance)


def explain_usage(error: typer.TyperException) -> int:
    """Print what is wrong with the command as typed, and where its help is; answer the exit code."""
    message = error.format_message()
    if isinstance(error, typer.BadParameter) and error.message:
        hint = getattr(error, "param_hint", None) or getattr(getattr(error, "param", None), "opts", [""])[0]
        message = f"{hint}: {error.message}" if hint else error.message
    if message.strip():  # else its help is printed already, as the command was typed without arguments
        context = getattr(error, "ctx", None)
        sys.stderr.write(f"minitwitter: {message[:1].lower()}{message[1:]}\n")
        sys.stderr.write(f"Try: {context.command_path if context else 'minitwitter'} --help\n")
    return error.exit_code


DISTRIBUTED = frozenset(
    (
        "aiokafka",
        "cassandra",
        "confluent_kafka",
        "faust",
        "minio",
        "mode",
        "psycopg",
        "psycopg_pool",
        "redis",
        "urllib3",
    )
)
"""Packages that are installed with the distributed profile only."""


def explain_missing(error: ModuleNotFoundError) -> int | None:
    """Print what has to be installed for the distributed profile; answer the exit code, None for a fault of ours."""
    package = (error.name or "").partition(".")[0]
    if package not in DISTRIBUTED:
        return None
    sys.stderr.write(
        f"minitwitter: {package} is not installed, which the distributed profile needs;"
        " `make setup-distributed` installs it, or `pip install 'minitwitter[distributed]'`\n"
    )
    return 2


def open_standard_streams() -> None:
    """Put /dev/null in the place of a closed standard stream: else the next file or socket takes its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def printable(text: str) -> str:
    """Text of whoever wrote a record, for a terminal: no control characters."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def stop_printing() -> None:
    """Nobody reads standard output any more, as after `| head`: what is still to be written goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
