"""One row of a label file on its way to a `Sample`: numbers read, nothing decided yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .frames import Frames
from .images import Leaf
from .sample import Kind
from .tables import Row


@dataclass(slots=True)
class Record:
    """What a layout found out about a row."""

    row: Row
    rows: int
    """Rows of the whole file: it tells versions of a file apart."""
    subject: str
    clip: str
    onset: int | None
    apex: int | None
    offset: int | None
    leaves: Sequence[Leaf] = ()
    """Folders that may hold its frames, the preferred one first."""
    aus: object = None
    """The cell as it stands in the file."""
    emotion: str = ""
    """As written."""
    objective: str = ""
    kind: Kind = "micro"
    rate: float = 0.0
    """Frames per second, where the labels say it; 0: that of the set."""
    errata: tuple[str, ...] = ()
    """Corrections applied so far."""
    apex_coded: bool = True
    """False: this set has no apex at all, so its lack is no problem."""

    def whole(self, frames: Frames) -> bool:
        """Are onset, apex and offset given, in order, and is there an image of each?"""
        numbers = [self.onset, self.apex, self.offset]
        return all(n is not None and n in frames for n in numbers) and self.in_order

    @property
    def in_order(self) -> bool:
        """Whether onset <= apex <= offset and onset < offset, as far as they are given."""
        given = [n for n in (self.onset, self.apex, self.offset) if n is not None]
        return given == sorted(given) and (self.offset is None or self.onset != self.offset)
