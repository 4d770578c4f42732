"""What an engine is: something that can be installed from packages, configured in a directory, and asked for health."""

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
    """What an engine needs is not on this machine, and we may not or cannot fetch it."""


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """One process of an engine, as it is to be started.

    `ready` is asked until it answers True; errors of connections count as False. `user` is who it runs as where we are
    root and it refuses that. `stop_signal` asks for a clean stop, which may take `stop_s` before it is killed.
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
    """One kind of server. `ports` are the names of those that one server of it listens on."""

    name: ClassVar[str]
    version: ClassVar[str]
    ports: ClassVar[tuple[str, ...]]
    memory_mib: ClassVar[int]
    """What one server of it takes."""

    @abstractmethod
    def install(self, cache: Path) -> None:
        """Fetch what it needs into `cache`, unless it is there. Raises EngineError."""

    @abstractmethod
    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
        """Write the configuration of one server for each entry of `ports` under `directory`, and say how to start it.

        Called on every start: what is there already (data, ids) stays.
        """

    @abstractmethod
    def url(self, ports: Sequence[Mapping[str, int]]) -> str:
        """How clients reach it, as the settings want it."""
