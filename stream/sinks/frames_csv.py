"""frames.csv: one row per frame and face, also where no face was found."""

from __future__ import annotations

from pathlib import Path

from ..columns import FRAME_COLUMNS, names
from ..events import FrameRow
from ..files import LineFile
from ..sink import Sink
from ..table import frame_values


class FramesCsv(Sink):
    """Rows are written some hundred at a time, always whole ones."""

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)
        self._file.line(",".join(names(FRAME_COLUMNS)))
        self._file.flush()

    def row(self, row: FrameRow) -> None:
        # No value holds a comma or a quote: numbers, and flags from a closed list.
        self._file.line(",".join(map(str, frame_values(row))))

    def close(self) -> None:
        self._file.close()
