"""events.csv: one row per event, in order of onset, there as soon as the event is decided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..columns import event_columns, names
from ..events import Event
from ..files import LineFile, write_whole
from ..sink import Sink
from ..table import event_values


class EventsCsv(Sink):
    """Events are decided almost in order of onset, not quite: with two faces, or when a long
    movement ends after a short one that began later. Then the file is put in order at the end.

    No row is kept here: a run may go on for days.
    """

    def __init__(self, path: Path, aus: Sequence[str]) -> None:
        self._path, self._aus = path, tuple(aus)
        self._header = names(event_columns(self._aus))
        self._newest = 0.0
        self._ordered = True
        self._file = LineFile(path)
        self._file.line(",".join(self._header))
        self._file.flush()

    def event(self, event: Event) -> None:
        # No value holds a comma or a quote: numbers, units, and words from closed lists.
        self._file.line(",".join(map(str, event_values(event, self._aus))))
        self._file.flush()
        onset = round(event.onset_s, 6)  # as written
        self._ordered = self._ordered and onset >= self._newest
        self._newest = max(self._newest, onset)

    def close(self) -> None:
        self._file.close()
        if not self._ordered:
            header, *rows = self._path.read_text(encoding="utf-8").splitlines()
            write_whole(self._path, "\n".join([header, *sorted(rows, key=self._place)]) + "\n")

    def _place(self, row: str) -> tuple[float, int]:
        """Onset, then number."""
        values = row.split(",")
        return float(values[self._header.index("onset_s")]), int(values[self._header.index("event_id")])
