"""The control socket: commands beside a running server send it their work.

A Unix socket in the data directory, mode 0600: only users who may read the data can send. A message is four bytes of
length and MessagePack. The server answers each request with one or more replies; the last is a Done or a Failed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from events.log import CorruptLog, LogUnavailable
from events.operations import DeadLetterDiscarded
from runtime.dead_letters import Choice, Mended
from runtime.importing.messages import Import, Imported
from runtime.operator_requests import OperatorRequest
from runtime.rebuild_progress import RebuildProgress
from runtime.status import Status
from stores.sink import StoreUnavailable

DISK = 5
"""The exit code of a command that failed because of the disk or the file system."""
DATA = 4
"""The exit code of a command that failed because of the data."""
_LONGEST_PATH = 100
"""The maximum length of a Unix socket's path on any system, in bytes."""
_LONGEST_MESSAGE = 16 * 1024 * 1024


class RebuildModels(msgspec.Struct, frozen=True, tag=True):
    """Rebuild the named read models; all of them if none is named."""

    models: tuple[str, ...]
    back: bool


class RebuildStatus(msgspec.Struct, frozen=True, tag=True):
    """Return a Rebuilding for each running rebuild."""


class CancelRebuilds(msgspec.Struct, frozen=True, tag=True):
    """Cancel the running rebuilds. The read models stay as they are."""


class Token(msgspec.Struct, frozen=True, tag=True):
    """Sign in to an account on behalf of the owner of the data directory."""

    username: str


class RotateMaster(msgspec.Struct, frozen=True, tag=True):
    """Replace the master key."""


class RotateSigning(msgspec.Struct, frozen=True, tag=True):
    """Replace the key that signs access tokens."""


class AwaitCurrent(msgspec.Struct, frozen=True, tag=True):
    """Wait until all read models have applied every event appended so far. Replies with Lagging meanwhile."""


class RetryLetters(msgspec.Struct, frozen=True, tag=True):
    """Retry dead letters, with all later letters of their entities."""

    choice: Choice


class DiscardLetters(msgspec.Struct, frozen=True, tag=True):
    """Discard dead letters, and apply the records held back behind them."""

    choice: Choice


class GiveUpRecords(msgspec.Struct, frozen=True, tag=True):
    """Discard records, whether or not they are dead letters, and apply the records held back behind them."""

    discards: tuple[DeadLetterDiscarded, ...]


class AskStatus(msgspec.Struct, frozen=True, tag=True):
    """Return the server's status."""


Rebuilds = RebuildModels | RebuildStatus | CancelRebuilds
Letters = RetryLetters | DiscardLetters | GiveUpRecords
Request = (
    AskStatus | Import | Rebuilds | OperatorRequest | Token | RotateMaster | RotateSigning | AwaitCurrent | Letters
)


class Rebuilding(msgspec.Struct, frozen=True, tag=True):
    """The progress of a rebuild."""

    progress: RebuildProgress


class Lagging(msgspec.Struct, frozen=True, tag=True):
    """The number of events that some read model has not applied yet."""

    events: int


class Told(msgspec.Struct, frozen=True, tag=True):
    """The server's status."""

    status: Status


class TokenIssued(msgspec.Struct, frozen=True, tag=True):
    """An access token, and its lifetime in seconds."""

    access_token: str
    expires_in: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """Success; `detail` may be shown."""

    detail: str = ""


class LettersMended(msgspec.Struct, frozen=True, tag=True):
    """The result of a retry or a discard."""

    mended: Mended


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Failure: the reason, and the exit code of the command."""

    reason: str
    code: int = 1


Reply = Told | Imported | Rebuilding | Lagging | LettersMended | TokenIssued | Done | Failed

_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_replies = msgspec.msgpack.Decoder(Reply)


class NoServer(Exception):
    """No server runs on the data directory."""


class ControlFailed(Exception):
    """The server could not do the request. The message says why; `code` is the exit code of the command."""

    def __init__(self, reason: str, code: int = 1) -> None:
        super().__init__(reason)
        self.code = code


def socket_path(directory: Path) -> Path:
    """Return the path of a data directory's socket: in it, or in a private directory if that path would be too long."""
    path = directory.absolute() / "control.sock"
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    short = hashlib.blake2b(os.fsencode(directory.resolve()), digest_size=8).hexdigest()
    place = Path(tempfile.gettempdir()) / f"minitwitter-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.stat().st_uid != os.getuid() or place.stat().st_mode & 0o077:
        raise NoServer(f"{place} is not a directory of yours alone; remove it, or choose a shorter --data directory")
    return place / f"{short}.sock"


async def _read(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > _LONGEST_MESSAGE:
        raise ValueError("a message on the control socket is too long")
    return await reader.readexactly(size)


def _frame(message: Any) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(4, "big") + body


Ask = Callable[[Request], AsyncIterator[Reply]]
"""Executes a Request: through a server's socket, or with an engine in this process."""


class ControlServer:
    """Serves the socket. `handle` answers a request with replies; a missing Done is added."""

    def __init__(self, directory: Path, handle: Ask, on_fault: Callable[[BaseException], None]) -> None:
        self._path = socket_path(directory)
        self._handle = handle
        self._on_fault = on_fault
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen. Replaces the socket of a killed server: the caller holds the lock."""
        self._path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listening.bind(str(self._path))
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._connected, sock=listening)

    async def stop(self) -> None:
        """Stop listening, and cancel running requests between two of their steps."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        reading = asyncio.create_task(_read(reader))
        answering: asyncio.Task[None] | None = None
        try:
            while True:
                request = _requests.decode(await reading)
                reading = asyncio.create_task(_read(reader))  # a client that disconnects cancels its request
                answering = asyncio.create_task(self._answer(request, writer))
                await asyncio.wait((answering, reading), return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    await reading
                await answering
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # cancelled by `stop`; asyncio would log a traceback for it
        finally:
            under_way = [each for each in (reading, answering) if each is not None]
            for each in under_way:
                each.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            self._connections.discard(task)
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        last: Reply = Done()
        try:
            async for reply in self._handle(request):
                if isinstance(reply, (Done, Failed)):
                    last = reply
                    break
                writer.write(_frame(reply))
                await writer.drain()
        except ConnectionError:
            raise
        except (LogUnavailable, StoreUnavailable) as error:
            last = Failed(str(error), DISK)
        except CorruptLog as error:
            last = Failed(str(error), DATA)
        except OSError as error:
            last = Failed(f"disk or file system refuse: {error.strerror or error}", DISK)
        except Exception as error:
            self._on_fault(error)
            last = Failed(f"{type(error).__name__}: {error}")
        writer.write(_frame(last))
        await writer.drain()


class ControlClient:
    """Sends requests to the server of a data directory, one at a time."""

    def __init__(self, directory: Path) -> None:
        self._path = socket_path(directory)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def connected(self) -> bool:
        """Whether there was a server."""
        return self._writer is not None

    async def __aenter__(self) -> ControlClient:
        """Connect. Raises NoServer."""
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(str(self._path))
        except OSError:
            raise NoServer(f"the server of {self._path.parent} does not answer on {self._path.name}") from None
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Disconnect."""
        if self._writer is not None:
            self._writer.close()

    async def ask(self, request: Request) -> AsyncIterator[Reply]:
        """Yield the replies to a request; the last is a Done. Raises ControlFailed, NoServer."""
        assert self._reader is not None
        assert self._writer is not None
        try:
            self._writer.write(_frame(request))
            await self._writer.drain()
            while True:
                reply = _replies.decode(await _read(self._reader))
                if isinstance(reply, Failed):
                    raise ControlFailed(reply.reason, reply.code)
                yield reply
                if isinstance(reply, Done):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            raise NoServer("the server went away; run the command again, it goes on where it stopped") from None
