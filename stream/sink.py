"""Where results go: a Sink is told of every frame, row and event, and closed once.

Most sinks care for one of the three; the rest does nothing. A sink never changes what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.records import Face, Frame
from .events import Event, FrameRow


class Sink:
    """One place that results go to. Errors that a user can mend are MicroauError."""

    done = False
    """True: the person at the other end has gone (window closed, reader of a pipe left)."""

    def frame(self, frame: Frame, faces: Sequence[Face]) -> None:
        """A frame that has just been analysed, in order, with the faces found in it."""

    def row(self, row: FrameRow) -> None:
        """What was measured on one face in one frame, in order of frames."""

    def event(self, event: Event) -> None:
        """An event, when it is decided: later than its frames by the look-ahead, and final."""

    def close(self) -> None:
        """Nothing more comes: finish. Also after an error, also after Ctrl-C."""
