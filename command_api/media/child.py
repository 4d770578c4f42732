"""The child process that checks media through its pipes: `python -m command_api.media.child PIXELS`.

Before the first file it limits its own memory, and for each file its CPU time. If a file takes more, the operating
system ends the process and the parent finds the pipe closed. The child reads files and writes answers, each preceded by
its length, and ends at the end of its input.
"""

from __future__ import annotations

import math
import os
import resource
import sys
from typing import IO

import msgspec

from .errors import TooManyPixels, UnsupportedMedia
from .judging import check

CPU_S = 8
"""Seconds of CPU time that a file may take."""
_MEMORY = 512 << 20
_BYTES_A_PIXEL = 16
"""The memory of a decoder: four bytes for each pixel, and three copies."""
_PREFIX = 8


class CheckResult(msgspec.Struct, frozen=True):
    """The result of checking a file. `refused` is "", `media` or `pixels`; `detail` is the message of the refusal."""

    content_type: str = ""
    content: bytes = b""
    width: int | None = None
    height: int | None = None
    refused: str = ""
    detail: str = ""


def write_message(pipe: IO[bytes], message: bytes) -> None:
    """Write a message preceded by its length. Raises OSError if the reader has gone."""
    pipe.write(len(message).to_bytes(_PREFIX, "big"))
    pipe.write(message)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> bytes:
    """Read the next message. Raises EOFError if there is none, or only a part of one."""
    length = int.from_bytes(_exactly(pipe, _PREFIX), "big")
    return _exactly(pipe, length)


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    found = pipe.read(length)
    if len(found) < length:
        raise EOFError
    return found


def answered(content: bytes, most_pixels: int) -> CheckResult:
    """Check a file and return the answer."""
    try:
        return CheckResult(**check(content, most_pixels)._asdict())
    except TooManyPixels as error:
        return CheckResult(refused="pixels", detail=str(error))
    except UnsupportedMedia as error:
        return CheckResult(refused="media", detail=str(error))


def main() -> None:
    """Check files until the end of the input."""
    most_pixels = int(sys.argv[1])
    memory = _MEMORY + _BYTES_A_PIXEL * most_pixels
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)
    while True:
        try:
            content = read_message(sys.stdin.buffer)
        except EOFError:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = math.ceil(used.ru_utime + used.ru_stime) + CPU_S
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        try:
            answer = answered(content, most_pixels)
        except MemoryError:
            return  # a new process checks the next file, with all its memory
        write_message(sys.stdout.buffer, msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    main()
