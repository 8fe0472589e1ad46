"""A sheet of panels side by side, drawn without a screen and written as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE = "#2166ac", "#e08214"
"""Of samples without and with the unit: told apart by people who see red and green alike."""
STATES = ((0, "still", BLUE, "o"), (1, "moving", ORANGE, "^"))


class Sheet:
    """`panels` is one matplotlib axes per panel, left to right."""

    def __init__(self, count: int, size: float = 3.2) -> None:
        self.figure = Figure(figsize=(size * count, size + 0.5), layout="constrained")
        FigureCanvasAgg(self.figure)
        self.panels: list[Any] = list(self.figure.subplots(1, count, squeeze=False)[0])

    def write(self, path: Path, title: str) -> None:
        """As PNG, without the date: the same input gives the same file."""
        self.figure.suptitle(title, fontsize=10)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.figure.savefig(path, dpi=140, metadata={"Software": None})
