"""One run without its outputs: frames come from the source, rows and events from the pipeline.

in    an input and a Config
out   Step   one for each frame, and a last one for what was still held back

The commands, `microau.Stream` and `microau.analyze_video` all run this.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..engine.closing import Closing
from ..engine.errors import MicroauError
from ..engine.records import Face, Frame
from .ahead import Ahead
from .capture import Capture
from .config import Config
from .events import Event, FrameRow
from .histogram import Histogram
from .inputs import open_source
from .later import Later
from .pipeline import Pipeline, Told
from .sharing import SharedModel
from .steady import steady


@dataclass(frozen=True, slots=True)
class Step:
    """What one frame gave."""

    frame: Frame | None
    """None: the input is over, the items are what was still held back."""
    faces: tuple[Face, ...]
    items: list[FrameRow | Event]


@dataclass(slots=True)
class Tally:
    """What is counted on the way."""

    frames: int = 0
    """Frames analysed."""
    with_face: int = 0
    """Of them, frames in which a face could be measured."""
    too_small: int = 0
    """Frames in which faces were seen, all too small to be measured."""
    missing: int = 0
    """Frames known to be lost among them."""
    duplicates: int = 0
    events: int = 0
    """Also those longer than a micro-expression, where they were asked for."""
    last_time: float = 0.0
    """Presentation time of the newest frame in seconds."""
    seconds: float = 0.0
    """Wall clock from the first frame to the newest."""
    latency: Histogram = field(default_factory=Histogram)
    """Milliseconds from a frame's arrival to its rows; live input only."""

    @property
    def fps(self) -> float:
        """Frames analysed per second of wall clock."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


AHEAD = 8
"""Frames whose faces are looked for ahead of the analysis, so that two cores share the work."""


class Session(Closing):
    """Opens the input, then the models; iterate its `steps` inside a with-block.

    Raises MicroauError where the input cannot be opened or a model not be loaded.
    """

    def __init__(
        self,
        config: Config,
        input: str | None = None,
        *,
        camera: int | None = None,
        shared: SharedModel | None = None,
    ) -> None:
        capture = config.capture
        self.config = config
        self.tally = Tally()
        self.ending = ""
        """Why the frames ended, in words; '' while they last."""
        self.source = open_source(
            input,
            camera=camera,
            fps=capture.fps,
            width=capture.width,
            height=capture.height,
            start=capture.start or None,
            end=capture.end,
        )
        try:
            self.pipeline = Pipeline(config, shared)
        except BaseException:  # also Ctrl-C while a model loads: a camera must not stay taken
            self.source.close()
            raise
        self._capture: Capture | None = None
        self._told = 0

    @property
    def dropped(self) -> dict[str, int]:
        """Frames that we had to let go since nobody took them, by cause."""
        return dict(self._capture.dropped) if self._capture else {}

    @property
    def live(self) -> bool:
        """True: the input does not wait for us."""
        return self.source.probe.live

    @property
    def aus(self) -> tuple[str, ...]:
        """Units of the model in the order of the tables, e.g. ('AU01', 'AU02')."""
        return tuple(sorted(unit.code for unit in self.pipeline.bundle.units))

    def stop(self, reason: str) -> None:
        """End after the frame at hand, for a reason in words; what is held back is still given.

        May be called from a signal handler.
        """
        self.ending = self.ending or reason
        if self._capture is not None:
            self._capture.stop()

    def steps(self) -> Iterator[Step]:
        """Analyse frame by frame until the input ends or `stop` is called.

        Raises MicroauError where the input breaks off, after what was still held back.
        """
        failure = None
        with (
            steady() if self.live else contextlib.nullcontext(),
            Later(self.pipeline.describe, modest=self.live) as later,
        ):
            try:
                yield from self._frames(later)
            except MicroauError as error:  # a camera was unplugged: what it showed until then counts
                failure = error
            if self.tally.frames:
                yield self._last_step(later)
        if failure is not None:
            raise failure
        if not self.tally.frames and not self.ending:
            raise MicroauError(f"{self.source.probe.name}: no frame could be read")
        self.ending = self.ending or self.source.ending

    def _frames(self, later: Later[list[Told], list[Event]]) -> Iterator[Step]:
        """A step for every frame."""
        with Capture(self.source) as capture, Ahead(capture, self.pipeline.find, AHEAD) as found:
            self._capture = capture
            began = time.monotonic()
            try:
                for frame, faces in found:
                    if self.ending:
                        break
                    yield self._step(frame, faces, later)
                    self.tally.seconds = time.monotonic() - began
            finally:
                capture.stop(discard=True)  # else the thread that finds faces may wait for a silent source

    def new_notices(self) -> list[str]:
        """Sentences for the user that have not been asked for yet."""
        notices = self.pipeline.notices[self._told :]
        self._told += len(notices)
        return notices

    def close(self) -> None:
        """Free the input and the models; twice is harmless."""
        self.source.close()
        self.pipeline.close()

    def _step(self, frame: Frame, faces: list[Face], later: Later[list[Told], list[Event]]) -> Step:
        rows, told = self.pipeline.follow(frame, faces)
        if self.live:
            self.tally.latency.add(1000 * (time.monotonic() - frame.received))
        later.add([told] if told else [])  # what is decided together is described together
        # A recording waits for its events: they stand among the same rows every time.
        done = later.ready() if self.live else later.rest()
        events = [event for together in done for event in together]
        self._count(frame, rows)
        self.tally.events += len(events)
        return Step(frame, tuple(faces), [*rows, *events])

    def _last_step(self, later: Later[list[Told], list[Event]]) -> Step:
        later.add([self.pipeline.flush()])
        events = [event for together in later.rest() for event in together]
        self.tally.events += len(events)
        return Step(None, (), list(events))

    def _count(self, frame: Frame, rows: list[FrameRow]) -> None:
        tally = self.tally
        tally.frames += 1
        tally.missing += frame.missing
        tally.duplicates += frame.duplicate
        measured = any(row.success for row in rows)
        tally.with_face += measured
        tally.too_small += not measured and any(row.face_id >= 0 for row in rows)
        tally.last_time = frame.time
