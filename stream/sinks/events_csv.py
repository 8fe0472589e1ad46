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
    """

    def __init__(self, path: Path, aus: Sequence[str]) -> None:
        self._path, self._aus = path, tuple(aus)
        self._header = ",".join(names(event_columns(self._aus)))
        self._rows: list[tuple[tuple[float, int], str]] = []
        self._file = LineFile(path)
        self._file.line(self._header)
        self._file.flush()

    def event(self, event: Event) -> None:
        # No value holds a comma or a quote: numbers, units, and words from closed lists.
        text = ",".join(map(str, event_values(event, self._aus)))
        self._rows.append(((event.onset_s, event.event_id), text))
        self._file.line(text)
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        in_order = sorted(self._rows)
        if in_order != self._rows:
            write_whole(self._path, "\n".join([self._header, *(text for _, text in in_order)]) + "\n")
