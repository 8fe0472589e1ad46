"""The pictures of a clip or long video, by frame number: a folder of images, or a video file."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import av
import cv2
import numpy as np

from ...engine.errors import MicroauError
from ...engine.records import Rgb

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".m4v"})


class Frames(ABC):
    """What is common to both."""

    def __init__(self, path: Path, numbers: Iterable[int], odd: Collection[str] = ()):
        self.path = path
        self.numbers = tuple(numbers)
        """Ascending; gaps are possible."""
        self.odd = tuple(odd)
        """Files passed over: an image without a number, a second one with the same number."""
        self._there = frozenset(self.numbers)

    def __contains__(self, number: object) -> bool:
        return number in self._there

    def missing(self, first: int, last: int) -> tuple[int, ...]:
        """Numbers from first to last, both included, of which there is no picture."""
        return tuple(n for n in range(first, last + 1) if n not in self._there)

    @abstractmethod
    def read(self, numbers: Collection[int]) -> dict[int, Rgb]:
        """Pictures (H, W, 3) RGB uint8 by number; MicroauError where one cannot be read."""


class FrameFolder(Frames):
    """Images whose names end in their number: `img46.jpg`, `006_05562.jpg`, `reg_img2.bmp`."""

    def __init__(self, path: Path):
        names = sorted(entry.name for entry in path.iterdir() if entry.suffix.lower() in IMAGES)
        self.files: Mapping[int, str]
        self.files, odd = _by_number(names)
        super().__init__(path, self.files, odd)

    def image(self, number: int) -> Path:
        """Path of one frame. KeyError where there is none."""
        return self.path / self.files[number]

    def read(self, numbers: Collection[int]) -> dict[int, Rgb]:
        return {number: _read_image(self.image(number)) for number in sorted(numbers)}


class VideoFrames(Frames):
    """A video file; frames count from 0 in decode order."""

    def __init__(self, path: Path):
        try:
            with av.open(str(path)) as video:
                count = sum(1 for packet in video.demux(video=0) if packet.size)
        except (av.FFmpegError, IndexError) as error:
            raise MicroauError(f"{path}: no readable video ({error})") from None
        super().__init__(path, range(count))

    def read(self, numbers: Collection[int]) -> dict[int, Rgb]:
        wanted, last = set(numbers), max(numbers)
        with av.open(str(self.path)) as video:
            decoded = zip(range(last + 1), video.decode(video=0), strict=False)
            pictures = {
                n: np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for n, f in decoded if n in wanted
            }
        if len(pictures) < len(wanted):
            lost = min(wanted - pictures.keys())
            raise MicroauError(f"{self.path}: frame {lost} cannot be decoded; the file may be cut short")
        return pictures


def open_frames(path: Path) -> Frames:
    """A folder of images or a video file, whichever the path is."""
    return FrameFolder(path) if path.is_dir() else VideoFrames(path)


def frame_number(name: str) -> int | None:
    """The last run of digits of a file name without its ending; None where there is none.

    >>> frame_number("img46.jpg"), frame_number("006_05562.jpg"), frame_number("Thumbs.png")
    (46, 5562, None)
    """
    runs: list[str] = re.findall(r"\d+", Path(name).stem)
    return int(runs[-1]) if runs else None


def _by_number(names: Iterable[str]) -> tuple[dict[int, str], list[str]]:
    files: dict[int, str] = {}
    odd: list[str] = []
    for name in names:
        number = frame_number(name)
        if number is None or number in files:
            odd.append(name)
        else:
            files[number] = name
    return dict(sorted(files.items())), odd


def _read_image(path: Path) -> Rgb:
    data = np.fromfile(path, np.uint8)  # cv2.imread cannot open every Unicode path on Windows
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    if picture is None:
        raise MicroauError(f"{path}: no readable image")
    return np.asarray(picture, np.uint8)
