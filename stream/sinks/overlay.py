"""The annotated copy: an .mp4 with the input's own frames and times.

An event is known only after it is over, so frames are held back until every event that may begin in
them is decided; their number is bounded in bytes, and very large pictures at high rates are written
earlier: their events are then drawn from later on.

Drawing and encoding take longer than the analysis, so a thread of its own does both. A recording waits
for it; where a live input is too fast for it, frames are left out here and counted.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from ...engine.errors import MicroauError
from ...engine.records import Face, Frame, Picture, Rgb
from ..annotation import annotate
from ..events import Event, FrameRow
from ..files import check_writable, replacing, writing
from ..sink import Sink
from ..trace import PAST_S, Trace
from ..wording import count

HELD_BYTES = 512 * 2**20
"""Bytes of pictures that are held back at most."""
WAITING = 16
"""Frames that wait for the thread at most."""
MARK = "annotated by microau"
"""Comment in the file, by which an overlay of ours is known and may be overwritten."""


def encoder() -> tuple[str, dict[str, str]]:
    """H.264 where FFmpeg was built with it, else MPEG-4, with options that keep writing readable."""
    if "libx264" in av.codecs_available:
        return "libx264", {"preset": "veryfast", "crf": "19"}
    return "mpeg4", {"qmin": "2", "qmax": "4"}


def check_overlay(path: Path) -> None:
    """Refuse a place that cannot be written, and a video that is not an overlay of ours."""
    if not path.absolute().parent.is_dir():
        raise MicroauError(f"{path}: its folder does not exist. Make it, or choose another")
    if path.exists() and not _is_ours(path):
        raise MicroauError(f"{path}: exists and is not an overlay of microau. Give another name")
    check_writable(path.parent)


def _is_ours(path: Path) -> bool:
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}, format="mp4") as container:
            return bool(container.metadata.get("comment") == MARK)
    except (av.FFmpegError, OSError):
        return False


@dataclass(frozen=True, slots=True)
class _Held:
    """A frame that waits for the events that may begin in it."""

    frame: Frame
    faces: tuple[Face, ...]
    too_small: frozenset[int]


class Overlay(Sink):
    """Writes the frames, each `delay_s` after it came, with the events known by then.

    path      the .mp4; it appears when it is complete
    delay_s   seconds after which every event that touches a frame is decided
    aspect    width of a pixel over its height
    live      leave frames out rather than wait
    """

    def __init__(
        self, path: Path, delay_s: float, aspect: Fraction = Fraction(1), *, live: bool = False
    ) -> None:
        self._path, self._delay_s, self._aspect, self._live = path, delay_s, aspect, live
        self._held: deque[_Held] = deque()
        self._too_small: set[int] = set()
        self._bytes = 0
        self._events: list[Event] = []
        self._trace = Trace(delay_s)
        self._video: _Video | None = None
        self._cleanup = contextlib.ExitStack()
        self._error: MicroauError | None = None
        self._left_out = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="overlay")
        self._writing: deque[Future[None]] = deque()

    def row(self, row: FrameRow) -> None:
        self._trace.add(row)
        if not row.success:
            self._too_small.add(row.face_id)

    def event(self, event: Event) -> None:
        self._events.append(event)

    def frame(self, frame: Frame, faces: Sequence[Face]) -> None:
        self._held.append(_Held(frame, tuple(faces), frozenset(self._too_small)))
        self._too_small.clear()
        self._bytes += _size(frame.picture)
        while self._held and self._is_due(frame.time):
            self._write_oldest(patient=not self._live)

    def close(self) -> None:
        """Write what is held back, and put the file in place; after an error, leave no file."""
        with self._cleanup, self._pool:
            if self._error is not None:
                raise self._error
            while self._held:
                self._write_oldest(patient=True)
            self._settle(0)
            if self._video is not None:
                self._video.finish()
        if self._left_out:
            frames = count(self._left_out, "frame")
            self.remark = f"{self._path}: {frames} left out, the input was too fast to draw them all"

    def _is_due(self, newest: float) -> bool:
        return self._held[0].frame.time + self._delay_s <= newest or self._bytes > HELD_BYTES

    def _write_oldest(self, *, patient: bool) -> None:
        """Hand the oldest frame to the thread; where that is behind, wait for it or leave the frame out."""
        held = self._held.popleft()
        frame = held.frame
        self._bytes -= _size(frame.picture)
        self._events = [event for event in self._events if event.offset_s > frame.time - PAST_S]
        self._settle(WAITING - 1 if patient else len(self._writing))
        if len(self._writing) >= WAITING:
            self._left_out += 1
            return
        # Copies, since rows and events go on coming while it is drawn.
        job = self._pool.submit(self._draw, held, tuple(self._events), self._trace.copy())
        self._writing.append(job)

    def _settle(self, most: int) -> None:
        """Let go of what is written, and wait until no more than `most` frames are outstanding."""
        while self._writing and (self._writing[0].done() or len(self._writing) > most):
            self._writing.popleft().result()

    def _draw(self, held: _Held, events: tuple[Event, ...], trace: Trace) -> None:
        """In the thread; after an error nothing more is written."""
        if self._error is not None:
            return
        picture = annotate(held.frame, held.faces, events, trace, held.too_small)
        try:
            with writing(self._path):
                self._encode(held.frame, picture)
        except MicroauError as error:
            self._error = error
            raise

    def _encode(self, frame: Frame, picture: Rgb) -> None:
        if self._video is None:
            self._cleanup.enter_context(writing(self._path))
            part = self._cleanup.enter_context(replacing(self._path))
            self._video = self._cleanup.enter_context(_Video(part, frame, picture, self._aspect))
        self._video.write(frame, picture)


class _Video:
    """One video file being encoded."""

    def __init__(self, path: Path, first: Frame, picture: Rgb, aspect: Fraction) -> None:
        self._first, self._last = first.time, -1
        self._container = av.open(str(path), "w", format="mp4")
        self._container.metadata["comment"] = MARK
        name, options = encoder()
        self._stream = self._container.add_stream(name, options=options)
        self._stream.width, self._stream.height = picture.shape[1], picture.shape[0]
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = first.time_base
        self._stream.codec_context.sample_aspect_ratio = aspect

    def __enter__(self) -> _Video:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def write(self, frame: Frame, picture: Rgb) -> None:
        """Encode one picture at its own time since the first one."""
        place = round((frame.time - self._first) / frame.time_base)
        if place <= self._last:  # two frames of one moment: a video has room for one
            return
        self._last = place
        image = av.VideoFrame.from_ndarray(picture, format="rgb24")
        image.pts, image.time_base = place, frame.time_base
        self._container.mux(self._stream.encode(image))

    def finish(self) -> None:
        """Encode what the encoder holds back."""
        self._container.mux(self._stream.encode(None))


def _size(picture: Picture) -> int:
    return picture.luma.nbytes + sum(plane.nbytes for plane in picture.chroma or ())
