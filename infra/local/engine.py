"""The interface of an engine: installed from packages, configured in a directory, checked for health."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar


class EngineError(Exception):
    """An engine cannot run here; the message says what is missing and what to do."""


class EngineMissing(EngineError):
    """A requirement of an engine is not on this machine, and cannot be downloaded."""


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """One process of an engine to be started.

    `ready` is called until it returns True; connection errors count as False. `user` runs it if we are root and it
    refuses root. `stop_signal` asks for a clean stop, which may take `stop_s` before the process is killed.
    """

    name: str
    argv: Sequence[str]
    directory: Path
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    start_s: float = 60.0
    stop_s: float = 20.0
    stop_signal: signal.Signals = signal.SIGTERM


class LocalEngine(ABC):
    """One kind of server. `ports` are the names of the ports that one server listens on."""

    name: ClassVar[str]
    version: ClassVar[str]
    ports: ClassVar[tuple[str, ...]]
    memory_mib: ClassVar[int]
    """The memory of one server."""

    @abstractmethod
    def install(self, cache: Path) -> None:
        """Download its requirements into `cache`, unless they are there. Raises EngineError."""

    @abstractmethod
    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
        """Write the configuration of one server for each entry of `ports` under `directory`; return how to start them.

        Called at every start; existing data and ids stay.
        """

    @abstractmethod
    def url(self, ports: Sequence[Mapping[str, int]]) -> str:
        """Return the address for clients, in the form of the settings."""
