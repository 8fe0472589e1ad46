"""events.jsonl: one JSON object a line, each written when the event is decided."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..events import Event
from ..files import LineFile
from ..sink import Sink
from ..table import event_record


class EventsJsonl(Sink):
    """In order of decision, so that a program may follow the file while it grows."""

    def __init__(self, path: Path, aus: Sequence[str], *, explain: bool = False) -> None:
        self._aus, self._explain = tuple(aus), explain
        self._file = LineFile(path)

    def event(self, event: Event) -> None:
        self._file.line(json.dumps(event_record(event, self._aus, explain=self._explain), allow_nan=False))
        self._file.flush()

    def close(self) -> None:
        self._file.close()
