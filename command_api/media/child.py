"""The process that checks media, a file at a time, through its pipes: `python -m command_api.media.child PIXELS`.

It bounds itself before it looks at anything: by memory for as long as it lives, by time for each file. The system ends
it where it asks for more; whoever sent the file finds the pipe closed. It reads files and writes answers, each with its
length in front, and ends with its input.
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
"""Seconds of a core that a file may take."""
_MEMORY = 512 << 20
_BYTES_A_PIXEL = 16
"""What decoders hold of the largest picture: the picture in four bytes a pixel, and copies of it."""
_PREFIX = 8


class Answer(msgspec.Struct, frozen=True):
    """What became of a file. `refused` is "", `media` or `pixels`."""

    content_type: str = ""
    content: bytes = b""
    width: int | None = None
    height: int | None = None
    refused: str = ""
    detail: str = ""


def write_message(pipe: IO[bytes], message: bytes) -> None:
    """Write a message with its length in front. Raises OSError where nobody reads."""
    pipe.write(len(message).to_bytes(_PREFIX, "big"))
    pipe.write(message)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> bytes:
    """The next message. Raises EOFError where there is none, or not a whole one."""
    length = int.from_bytes(_exactly(pipe, _PREFIX), "big")
    return _exactly(pipe, length)


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    found = pipe.read(length)
    if len(found) < length:
        raise EOFError
    return found


def answered(content: bytes, most_pixels: int) -> Answer:
    """What becomes of a file."""
    try:
        return Answer(**check(content, most_pixels)._asdict())
    except TooManyPixels as error:
        return Answer(refused="pixels", detail=str(error))
    except UnsupportedMedia as error:
        return Answer(refused="media", detail=str(error))


def main() -> None:
    """Check files until there are no more."""
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
            return  # the next file finds a process without what this one left
        write_message(sys.stdout.buffer, msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    main()
