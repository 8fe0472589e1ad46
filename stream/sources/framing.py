"""From decoded pictures to Frames: index, place in time, duplicates."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING

from ...engine.errors import MicroauError
from ...engine.records import Frame, Picture
from ..source import Counts
from . import pictures
from .orientation import UPRIGHT, apply
from .timeline import Timeline

if TYPE_CHECKING:
    import av


class Framer:
    """Makes the Frames of one input, in order.

    name   of the input, for errors
    codec  FFmpeg's name of the decoder, '' where the pictures come ready
    live   True: gaps between clocks are bridged by the time of arrival
    numbered  True: stamps are numbers of pictures
    """

    def __init__(
        self,
        name: str,
        time_base: Fraction,
        counts: Counts,
        *,
        live: bool = False,
        codec: str = "",
        numbered: bool = False,
    ) -> None:
        self._converter = pictures.Converter(codec)
        self.orientation = UPRIGHT
        self._name, self._counts, self._live = name, counts, live
        self._tick = time_base
        self._timeline = Timeline(time_base, counts, numbered=numbered)
        self._last: Picture | None = None
        self._received = 0.0
        self._damaged = 0

    def restart(self) -> None:
        """The stream was opened again; the time goes on."""
        self._timeline.restart()

    def frame(self, decoded: av.VideoFrame, whole: bool) -> Frame | None:
        """The next Frame; None for a picture that is not whole or has no place in time."""
        if not whole:
            self._counts.decoded += 1
            self._counts.damaged += 1
            self._damaged += 1
            return None
        pts, duration = decoded.pts, decoded.duration
        if pts is None:
            pts = decoded.dts
            self._counts.filled_pts += pts is not None
        picture = apply(self._converter.picture(decoded), self.orientation)
        return self.place(picture, pts, duration or 0)

    def place(self, picture: Picture, pts: int | None, duration: int = 0) -> Frame | None:
        """The next Frame from a picture; None where its stamp is not later than the last."""
        received = time.monotonic()
        index = self._counts.decoded
        self._counts.decoded += 1
        elapsed = received - self._received if self._live else None
        place = self._timeline.place(pts, duration=duration, elapsed=elapsed)
        if place is None:
            return None
        self._received = received
        duplicate = self._compare(picture, index)
        unseen, self._damaged = max(self._damaged - place.missing, 0), 0  # left out, but no hole in time
        self._counts.missing += unseen
        missing = place.missing + unseen
        return Frame(index, place.pts, self._tick, place.time, picture, received, missing, duplicate)

    def _compare(self, picture: Picture, index: int) -> bool:
        last, self._last = self._last, picture
        if last is None:
            return False
        if last.luma.shape != picture.luma.shape:
            raise MicroauError(
                f"{self._name}: the picture changes from {last.width}x{last.height} to "
                f"{picture.width}x{picture.height} at frame {index}; cut the video there"
            )
        duplicate = pictures.same(picture, last)
        self._counts.duplicate += duplicate
        return duplicate
