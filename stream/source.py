"""Where frames come from: one small interface over files, picture folders, cameras and networks.

in    a path, a URL or a camera number
out   Frame  in decode order, with its true presentation time

`inputs.open_source` chooses among them.
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..engine.closing import Closing
from ..engine.errors import MicroauError
from ..engine.records import Frame

Kind = Literal["file", "images", "camera", "network"]
END_OF_INPUT = "end of input"
"""Why frames end where nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the input says of itself, and what its first picture showed."""

    kind: Kind
    name: str
    """The path, URL or device, fit to be printed: credentials are masked."""
    width: int
    height: int
    """Pixels of the picture as it is delivered, after rotation."""
    fps: Fraction | None = None
    """Nominal frames per second: the container's, or the --fps of a picture folder."""
    actual_fps: float | None = None
    """Frames per second that the driver says it set (camera), or frames over duration (file)."""
    frames: int | None = None
    """Number of frames where the container tells; the decoder may give a few less."""
    duration: float | None = None
    """Seconds, where known."""
    codec: str = ""
    container: str = ""
    pixel_format: str = ""
    """FFmpeg's name of the decoder's pixel format, before any conversion."""
    bit_depth: int = 8
    rotation: int = 0
    """Degrees counter-clockwise by which each picture has been turned upright: 0, 90, 180, 270."""
    mirrored: bool = False
    """True: the container asked for a flip (a selfie recording), which has been applied."""
    interlaced: bool = False
    """True: two fields in one picture; movements faster than a frame show as combs."""
    sample_aspect: Fraction = Fraction(1)
    """Width of a pixel over its height, as the container says; pictures are delivered unscaled."""
    time_base: Fraction = Fraction(1)
    """Seconds per unit of `Frame.pts`."""
    seekable: bool = False
    live: bool = False
    """True: frames come at their own pace and are lost if nobody takes them."""

    @property
    def rate(self) -> float | None:
        """Frames per second, measured rather than nominal, where either is known."""
        return self.actual_fps or (float(self.fps) if self.fps else None)


@dataclass(slots=True)
class Counts:
    """What a source met on its way; all start at 0 and only grow."""

    decoded: int = 0
    """Pictures that the decoder gave: the next frame's index."""
    delivered: int = 0
    missing: int = 0
    """Frames known to have been lost before they reached us: holes in the PTS or in the numbering."""
    duplicate: int = 0
    """Delivered frames with the very luma of the one before."""
    filled_pts: int = 0
    """Pictures without PTS, placed by their DTS or by the running interval."""
    disordered: int = 0
    """Pictures whose PTS was not later than the one before: left out, they have no place in time."""
    discontinuities: int = 0
    """Jumps of the source's clock; the time goes on, the hole is marked by `missing`."""
    damaged: int = 0
    """Pictures marked as broken, or built upon a packet that was damaged on its way: left out."""
    decoder_errors: int = 0
    """Packets that could not be decoded."""
    reconnects: int = 0


class Source(Closing):
    """Gives Frames in decode order; use it in a with-block, iterate it once."""

    probe: Probe
    counts: Counts
    ending: str = ""
    """Why the frames ended, in words; '' while they last."""
    slack: float = 0.0
    """Seconds for which a live source keeps its data while nobody reads: less than its own buffer holds."""

    def __init__(self, *, start: float | None = None, end: float | None = None) -> None:
        self.counts = Counts()
        self._start, self._end = start or 0.0, math.inf if end is None else end
        self._part: Iterator[Frame] | None = None

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._part or self._from_start():
            if frame.time >= self._end:
                self.ending = self.ending or "end of the chosen part"
                return
            self.counts.delivered += 1
            yield frame
        self.ending = self.ending or END_OF_INPUT

    def _from_start(self) -> Iterator[Frame]:
        return itertools.dropwhile(lambda frame: frame.time < self._start, self._frames())

    def skip_to_start(self) -> None:
        """Read on to the first frame of the chosen part; its number and time are those in the whole.

        raises  MicroauError: the input ends before
        """
        frames = self._from_start()
        first = next(frames, None)
        if first is None:
            raise MicroauError(f"{self.probe.name}: ends before --start {self._start:g}")
        if first.time >= self._end:
            raise MicroauError(f"{self.probe.name}: no frame between {self._start:g} s and {self._end:g} s")
        self._part = itertools.chain([first], frames)

    @abstractmethod
    def _frames(self) -> Iterator[Frame]:
        """All frames of the input."""

    def stop(self) -> None:
        """Ask the iteration to end soon, from any thread or a signal handler."""
        return

    @abstractmethod
    def close(self) -> None:
        """Free what is held; harmless when repeated. Not while another thread iterates."""
