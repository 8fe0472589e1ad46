"""Events on stdout: readable lines for a person at a terminal, JSON lines for a program behind a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from ..event_words import describe
from ..events import Event
from ..sink import Sink
from ..stdout import write_stdout
from ..table import event_record


class Terminal(Sink):
    """Writes to stdout as events are decided.

    alone   True: results go nowhere else, so the run may end when stdout's reader leaves (`| head`)
    """

    def __init__(self, aus: Sequence[str], *, explain: bool = False, alone: bool = False) -> None:
        self._aus, self._explain, self._alone = tuple(aus), explain, alone
        self._readable = sys.stdout.isatty()
        self._gone = False

    def event(self, event: Event) -> None:
        if self._gone:
            return
        self._gone = not write_stdout(self._text(event))
        if self._gone and self._alone:
            self.ending = "the reader of stdout left"

    def _text(self, event: Event) -> str:
        if not self._readable:
            record = event_record(event, self._aus, explain=self._explain)
            return json.dumps(record, allow_nan=False)
        return "\n".join(describe(event, explain=self._explain))
