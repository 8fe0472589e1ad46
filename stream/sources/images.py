"""A folder of numbered pictures as a video: img2 before img10, holes in the numbers keep their time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from ...engine.records import Frame, Gray, Picture
from ..source import Probe, Source
from .framing import Framer
from .opencv import quiet_opencv

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_NUMBER = re.compile(r"(\d+)(?!.*\d)")


def read_picture(path: Path) -> Picture:
    """One picture file, 8 or 16 bits, gray or colour, turned upright by its EXIF tag.

    raises  MicroauError: missing, or not a picture
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise MicroauError(f"{path}: {error.strerror}") from None
    with quiet_opencv():
        image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR) if data.size else None
    if image is None:
        raise MicroauError(f"{path}: not a picture that can be read")
    if image.dtype != np.uint8:
        image = _eight_bits(image, path)
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return Picture.from_rgb(np.asarray(image, np.uint8))


def _eight_bits(image: NDArray[np.generic], path: Path) -> Gray:
    if image.dtype != np.uint16:
        raise MicroauError(f"{path}: {image.dtype} values; pictures have 8 or 16 bits")
    return np.asarray(image.astype(np.uint16) >> 8, np.uint8)


class ImageFolder(Source):
    """Numbered pictures in a folder, in the order of the last number in their names.

    `Frame.index` counts the delivered pictures, `Frame.pts` is the file's number, `Frame.time` its
    number's distance from the first over fps, `Frame.missing` how many numbers were skipped.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fps: float | Fraction | None,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        super().__init__(start=start, end=end)
        self._files = numbered(folder)
        rate = _rate(folder, fps)
        first = read_picture(self._files[0][1])
        span = self._files[-1][0] - self._files[0][0] + 1
        self.probe = Probe(
            kind="images",
            name=str(folder),
            width=first.width,
            height=first.height,
            fps=rate,
            actual_fps=float(rate),
            frames=len(self._files),
            duration=float(span / rate),
            codec=self._files[0][1].suffix[1:].lower(),
            container="folder",
            pixel_format="gray" if first.chroma is None else "yuvj420p",
            time_base=1 / rate,
            seekable=True,
        )
        self._framer = Framer(str(folder), 1 / rate, self.counts, numbered=True)

    def _frames(self) -> Iterator[Frame]:
        for number, path in self._files:
            picture = read_picture(path)
            if (picture.width, picture.height) != (self.probe.width, self.probe.height):
                raise MicroauError(
                    f"{path}: {picture.width}x{picture.height}, but the first picture of the folder is "
                    f"{self.probe.width}x{self.probe.height}"
                )
            frame = self._framer.place(picture, number)
            if frame is not None:
                yield frame

    def close(self) -> None:
        self._files = []


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """The folder's pictures with their numbers, ascending.

    raises  MicroauError: none there, none numbered, or one number twice
    """
    try:
        pictures = [p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and p.name[0] != "."]
    except OSError as error:
        raise MicroauError(f"{folder}: {error.strerror}") from None
    found = sorted((int(m[1]), p) for p in pictures if (m := _NUMBER.search(p.stem)))
    if not found:
        what = (
            "none of its pictures has a number" if pictures else f"no pictures in it ({' '.join(ENDINGS)})"
        )
        raise MicroauError(f"{folder}: {what}")
    for (number, one), (following, other) in itertools.pairwise(found):
        if number == following:
            raise MicroauError(f"{folder}: {one.name} and {other.name} have the same number")
    return found


def _rate(folder: Path, fps: float | Fraction | None) -> Fraction:
    if fps is None:
        raise MicroauError(f"{folder}: a folder of pictures needs --fps, the rate at which they were taken")
    rate = Fraction(fps).limit_denominator(100_000)
    if not 0 < rate <= 100_000:
        raise MicroauError(f"{folder}: --fps {float(fps):g} is not a frame rate")
    return rate
