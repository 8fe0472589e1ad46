"""A live camera through OpenCV: macOS and Windows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np

from ...engine.errors import MicroauError
from ...engine.records import Frame, Picture
from ..source import Probe, Source
from .framing import Framer
from .opencv import quiet_opencv


class OpenCvCamera(Source):
    """A camera by its number; OpenCV gives no stamps, so the time is that of arrival, in 1 us ticks.

    The first picture is looked at on opening and not delivered.
    """

    def __init__(
        self,
        number: int | str,
        *,
        size: tuple[int, int] | None = None,
        fps: float | Fraction | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        super().__init__(start=start, end=end)
        self._name = f"camera {number}"
        self._stopped = False
        with quiet_opencv():
            self._capture = _opened(number, size, fps)
            good, first = self._capture.read()
        if not good:
            self._capture.release()
            raise MicroauError(f"{self._name} does not exist, is in use, or gives no picture")
        self.probe = self._probe(height=first.shape[0], width=first.shape[1])
        self._framer = Framer(self._name, self.probe.time_base, self.counts, live=True)

    def _probe(self, *, height: int, width: int) -> Probe:
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        return Probe(
            kind="camera",
            name=self._name,
            width=width,
            height=height,
            fps=Fraction(rate).limit_denominator(1001) if rate > 0 else None,
            actual_fps=rate if rate > 0 else None,
            container=self._capture.getBackendName(),
            pixel_format="bgr24",
            time_base=Fraction(1, 1_000_000),
            live=True,
        )

    def _frames(self) -> Iterator[Frame]:
        while not self._stopped:
            good, image = self._capture.read()
            stamp = time.monotonic_ns() // 1000
            if not good:
                raise MicroauError(f"{self._name} gives no more pictures; is it still plugged in?")
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            frame = self._framer.place(Picture.from_rgb(np.asarray(rgb, np.uint8)), stamp)
            if frame is not None:
                yield frame

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self._capture.release()


def _opened(
    number: int | str, size: tuple[int, int] | None, fps: float | Fraction | None
) -> cv2.VideoCapture:
    """The device with its wishes made; what it makes of them shows in its pictures."""
    capture = cv2.VideoCapture(number)
    if size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    if fps is not None:
        capture.set(cv2.CAP_PROP_FPS, float(fps))
    return capture
