"""The base class of projectors."""

from __future__ import annotations

from typing import ClassVar

from events.event import Handles


class Projector(Handles):
    """Turns events into the rows of one read model.

    `model` names the read model. `version` is raised when its rows change; every data directory then rebuilds the
    model. Handlers write through the port given to the constructor and read nothing.
    """

    model: ClassVar[str]
    version: ClassVar[int]
