"""What came of adapting an encoder to a video, and whether it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MARGIN = 0.005
"""Of mean certainty, 0..1: less is chance."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """cycle: error before and after, pixels; certainty: the same of labels that are carried, None if not measured."""

    kept: bool
    cycle: tuple[float, float]
    certainty: tuple[float, float] | None

    @classmethod
    def of(cls, cycle: tuple[float, float], certainty: tuple[float, float]) -> Outcome:
        """Kept if the error is less and labels are more certain."""
        return cls(cycle[1] < cycle[0] and certainty[1] - certainty[0] > MARGIN, cycle, certainty)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        certainty = None if self.certainty is None else list(self.certainty)
        return {"kept": self.kept, "cycle": list(self.cycle), "certainty": certainty}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outcome:
        """Of what `as_dict` made."""
        certainty = data["certainty"]
        before, after = data["cycle"]
        return cls(bool(data["kept"]), (before, after), None if certainty is None else (certainty[0], certainty[1]))

    def figures(self) -> str:
        """ "cycle error 3.1 → 2.7 px, certainty 0.81 → 0.86"."""
        told = f"cycle error {self.cycle[0]:.2f} → {self.cycle[1]:.2f} px"
        if self.certainty is None:
            return told
        return f"{told}, certainty {self.certainty[0]:.3f} → {self.certainty[1]:.3f}"
