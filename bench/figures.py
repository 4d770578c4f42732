"""A measured figure, its target and its limit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One figure. `limit` is the most that the same machine reached in the same run, of the thing `limit_name`."""

    name: str
    value: float
    unit: str
    target: float
    more_is_better: bool = True
    limit: float | None = None
    limit_name: str = ""
    limit_unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.value >= self.target if self.more_is_better else self.value <= self.target

    @property
    def ratio(self) -> float | None:
        """The share of the limit; None if limit and figure are of different kinds."""
        return None if not self.limit or self.limit_unit else self.value / self.limit

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "met": self.met, "ratio": self.ratio}
