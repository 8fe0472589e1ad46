"""Where results go: a Sink is told of every frame, row and event, and closed once.

Most sinks care for one of the three; the rest does nothing. A sink never changes what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.records import Face, Frame
from .events import Event, FrameRow


class Sink:
    """One place that results go to. Errors that a user can mend are MicroauError."""

    ending = ""
    """Why the run may end, in words: its reader has left, its window was closed. '' while it goes on."""

    remark = ""
    """What the user should know once it is closed, in a sentence."""

    def row(self, row: FrameRow) -> None:
        """What was measured on one face in one frame, in order of frames."""

    def event(self, event: Event) -> None:
        """An event, when it is decided: later than its frames by the look-ahead, and final."""

    def frame(self, frame: Frame, faces: Sequence[Face]) -> None:
        """A frame in order, with its faces; its rows, and the events decided by it, came before."""

    def close(self) -> None:
        """Nothing more comes: finish. Also after an error, also after Ctrl-C."""
