"""A recorded video: a regular file, decoded from its first picture to its last."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from ...engine.errors import MicroauError
from ...engine.records import Frame
from .. import urls
from ..source import Kind, Probe, Source
from .container import FILE_FORMATS, Decoded, Decoder, open_container, reason
from .framing import Framer
from .orientation import orientation

OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FILE_FORMATS}


class VideoFile(Source):
    """A video file; a wrong end (truncated, damaged) gives what decodes before it.

    With `start`, decoding still begins at the first picture, so that frame numbers and times are the
    input's own whatever its container says: skipped pictures cost a decode, nothing else.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        super().__init__(start=start, end=end)
        name = urls.mask(os.fspath(path))
        url = "file:" + str(_regular_file(Path(path), name))
        container = open_container(url, name=name, options=OPTIONS)
        try:
            self._decoder = Decoder(container, name, self.counts)
            self._decoded, first = first_picture(self._decoder, name)
            self.probe = probe(self._decoder, first, kind="file", name=name)
        except BaseException:
            container.close()
            raise
        self._framer = Framer(name, self.probe.time_base, self.counts, codec=self._decoder.codec)
        self._framer.orientation = orientation(first)

    def _frames(self) -> Iterator[Frame]:
        try:
            for decoded, whole in self._decoded:
                frame = self._framer.frame(decoded, whole)
                if frame is not None:
                    yield frame
        except av.FFmpegError:
            self.ending = "the file is damaged or cut off here"

    def close(self) -> None:
        self._decoded = iter(())
        self._decoder.close()


def _regular_file(path: Path, name: str) -> Path:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise MicroauError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:
        raise MicroauError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(found.st_mode):
        raise MicroauError(f"{name}: not a regular file; a camera is opened with --camera N")
    if found.st_size == 0:
        raise MicroauError(f"{name}: the file is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise MicroauError(f"{name}: not allowed to read it")
    return path.absolute()


def first_picture(decoder: Decoder, name: str) -> tuple[Iterator[Decoded], av.VideoFrame]:
    """All decoded pictures, and the first of them looked at beforehand.

    raises  MicroauError: nothing decodes
    """
    frames = decoder.frames()
    why = ""
    try:
        first = next(frames, None)
    except av.FFmpegError as error:
        first, why = None, f" ({reason(error)})"
    if first is None:
        raise MicroauError(f"{name}: no picture of its {decoder.codec} video could be decoded{why}")
    return itertools.chain([first], frames), first[0]


def probe(decoder: Decoder, first: av.VideoFrame, *, kind: Kind, name: str, live: bool = False) -> Probe:
    """What container, stream and first picture say."""
    stream, container = decoder.stream, decoder.container
    way = orientation(first)
    width, height = (first.height, first.width) if way.transposed else (first.width, first.height)
    duration = container.duration / av.time_base if container.duration else None
    if duration and "matroska" in container.format.name:  # it counts from 0, not from the first picture
        duration -= max(0, container.start_time or 0) / av.time_base
    return Probe(
        kind=kind,
        name=name,
        width=width,
        height=height,
        fps=nominal_fps(stream),
        actual_fps=float(stream.average_rate) if stream.average_rate else None,
        frames=stream.frames or None,
        duration=None if live else duration,
        codec=decoder.codec,
        container=container.format.name,
        pixel_format=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        rotation=way.degrees,
        mirrored=way.mirrored,
        interlaced=first.interlaced_frame,
        # PyAV 19 has a rational of its own, which is no Fraction and goes into no JSON.
        sample_aspect=Fraction(stream.sample_aspect_ratio or 1),
        time_base=Fraction(stream.time_base or Fraction(1, 90000)),
        seekable=not live,
        live=live,
    )


def nominal_fps(stream: av.VideoStream) -> Fraction | None:
    """The container's rate; its average where the two contradict each other (variable rates)."""
    guess, average = stream.guessed_rate, stream.average_rate
    if guess and average and not 0.9 < guess / average < 1.1:
        return Fraction(average)
    return Fraction(guess or average) if guess or average else None
