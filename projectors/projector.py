"""What a projector is."""

from __future__ import annotations

from typing import ClassVar

from events.event import Handles


class Projector(Handles):
    """Turns events into the rows of one read model.

    `model` names the read model; `version` is raised when its rows are made in another way, which has every data
    directory rebuild it. Handlers write through the port given to the constructor and read nothing.
    """

    model: ClassVar[str]
    version: ClassVar[int]
