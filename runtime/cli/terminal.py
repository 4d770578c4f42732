"""Output on terminals: help that wraps, errors in one style, and closed or broken output streams."""

from __future__ import annotations

import inspect
import os
import sys

import typer


def unwrap(app: typer.Typer) -> None:
    """Wrap the help of every command at the width of the terminal, not at the lines of its docstring."""
    for command in app.registered_commands:
        paragraphs = (inspect.getdoc(command.callback) or "").split("\n\n")
        command.help = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            unwrap(group.typer_instance)


def explain_usage(error: typer.TyperException) -> int:
    """Print a usage error and the command that shows the help; return the exit code."""
    message = error.format_message()
    if isinstance(error, typer.BadParameter) and error.message:
        hint = getattr(error, "param_hint", None) or getattr(getattr(error, "param", None), "opts", [""])[0]
        message = f"{hint}: {error.message}" if hint else error.message
    if message.strip():  # without arguments, the help is already printed and the message is empty
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
"""Packages of the extra `distributed`."""


def explain_missing(error: ModuleNotFoundError) -> int | None:
    """Print which package the distributed profile is missing and return the exit code; None if it is a bug."""
    package = (error.name or "").partition(".")[0]
    if package not in DISTRIBUTED:
        return None
    sys.stderr.write(
        f"minitwitter: {package} is not installed, which the distributed profile needs;"
        " `make setup-distributed` installs it, or `pip install 'minitwitter[distributed]'`\n"
    )
    return 2


def open_standard_streams() -> None:
    """Open /dev/null for each closed standard stream, so that no file or socket takes its descriptor."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def printable(text: str) -> str:
    """Return text of a record for a terminal, without control characters."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def stop_printing() -> None:
    """Discard further standard output, because its reader has closed the pipe, as `| head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
