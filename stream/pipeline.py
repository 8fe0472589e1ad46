r"""From frames to rows and events: the stages in their order, one chain per face.

    Frame -> faces -> regional motion -> windows -> flow, units, emotion -> Event
                  \-> FrameRow

in    Frame             one at a time, in order
out   FrameRow, Event   rows at once, an event at most `latency_ms` after its apex

No thread and no clock of its own: a file, and the same file sent as a stream, give the same answer. Its
three parts, `find`, `follow` and `describe`, may each run in a thread of their own.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..engine.bundle import Bundle
from ..engine.faces import FaceTracker
from ..engine.motion import FaceMotion, Motion
from ..engine.records import Face, Frame
from .config import Config
from .confounds import SMALL_OED
from .describing import EventWriter, load_describer
from .events import Event, FrameRow
from .histogram import Histogram
from .macro import MacroSpotter
from .noise_floor import seconds_to_know
from .sensitivity import hidden
from .sharing import SharedModel
from .spotting import LEAD_S, Spotter, Window

FORGET_S = 1.0
"""Seconds a face may be out of sight before its chain is closed."""
JUDGED_S = 4.0
"""Seconds of known noise before it is said what it hides."""
FAST = 200.0
"""Frames per second."""
LOW_RATE = 60.0
"""Frames per second; below it onset and apex cannot be timed to the length of a short movement."""


@dataclass(slots=True)
class _Chain:
    """The stages of one face."""

    motion: FaceMotion
    spotter: Spotter
    macro: MacroSpotter
    seen: float

    def windows(self, motion: Motion) -> list[Window]:
        return self.spotter.push(motion) + self.macro.push(motion)

    def flush(self) -> list[Window]:
        return self.spotter.flush() + self.macro.flush()


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A movement that is decided and becomes an event."""

    window: Window
    face_id: int


class Pipeline:
    """All stages of the analysis."""

    def __init__(self, config: Config | None = None, shared: SharedModel | None = None) -> None:
        self._config = config or Config()
        self._tracker = FaceTracker(self._config.face)
        self._describer = load_describer(self._config.model, shared)
        self.batch_wait_ms = 0.0 if shared is None else shared.wait_ms
        """Milliseconds of wall clock that an event waits at most for those of other streams."""
        self._writer = EventWriter(self._describer, self._config)
        self._chains: dict[int, _Chain] = {}
        self._seconds: dict[str, float] = defaultdict(float)
        self._frames: list[float] = []
        self.faces: list[Face] = []
        """Faces of the frame that was pushed last."""
        self.notices: list[str] = []
        """Sentences that the user should read once."""
        self.noise = Histogram()
        """Noise floor of the faces in every frame, percent of OED."""
        self.noise_judged = False
        """True: it was looked at whether the picture hides small movements."""
        self._noise_since = 0.0
        self.macro_count = 0
        """Movements longer than a micro-expression so far."""

    @property
    def bundle(self) -> Bundle:
        """What the model is: its units, thresholds, training."""
        return self._describer.bundle

    def close(self) -> None:
        """Free the model."""
        self._describer.close()

    @property
    def latency_ms(self) -> float:
        """Milliseconds between an apex and its event at most, in the stream's own time."""
        return 1000 * self._new_spotter().lookahead

    def reach_back_ms(self, fps: float | None) -> float:
        """Milliseconds between an event's onset and its decision at most (longer for `macro`).

        A new face's first movements wait until its noise floor is known.
        """
        return max(self.latency_ms, self.startup_ms(fps) - 1000 * LEAD_S) + self._config.spot.max_ms

    def startup_ms(self, fps: float | None) -> float:
        """Milliseconds of a new face before the noise floor is its own; fps None: as for a fast camera."""
        return 1000 * (seconds_to_know(fps or FAST) + 0.4)  # its first sample needs 0.39 s around it

    def timings(self) -> dict[str, float]:
        """Seconds spent in each stage so far."""
        return dict(self._seconds)

    def find(self, frame: Frame) -> list[Face]:
        """The first stage alone: faces of the next frame. May run in another thread, ahead of `push`."""
        with self._timed("face"):
            return self._tracker.push(frame)

    def follow(self, frame: Frame, faces: list[Face] | None = None) -> tuple[list[FrameRow], list[Told]]:
        """Take the next frame; give its rows, and the movements that are decided by now.

        faces   what `find` gave for this frame; None: it is done here
        """
        self._notice_rate(frame)
        self.faces = self.find(frame) if faces is None else faces
        rows, told = [], []
        for face in self.faces:
            row, windows = self._follow(frame, face)
            rows.append(row)
            told += windows
        return rows or [_empty_row(frame)], told + self._close_lost(frame)

    def describe(self, told: list[Told]) -> list[Event]:
        """The last stage alone: what these movements were. In order of decision, in any one thread."""
        with self._timed("events"):
            return self._writer.events([(each.window, each.face_id) for each in told])

    def flush(self) -> list[Told]:
        """The input is over: give the movements that are still held back."""
        return [told for face_id in list(self._chains) for told in self._close(face_id)]

    def _follow(self, frame: Frame, face: Face) -> tuple[FrameRow, list[Told]]:
        if face.small:
            return _row(frame, face, None, 0.0), []
        held: list[Told] = []
        chain = self._chains.get(face.face_id)
        if (
            chain is not None and frame.time - chain.seen > FORGET_S
        ):  # a hole: nothing can be compared across it
            held, chain = self._close(face.face_id), None
        if chain is None:
            chain = self._chains[face.face_id] = self._new_chain(frame.time)
        chain.seen = frame.time
        with self._timed("motion"):
            motion = chain.motion.push(frame, face)
        with self._timed("spotting"):
            windows = chain.windows(motion)
        if chain.spotter.noise:
            self._judge_noise(frame.time, chain.spotter.noise)
        return _row(frame, face, motion, chain.spotter.signal), held + self._told(windows, face.face_id)

    def _new_chain(self, now: float) -> _Chain:
        return _Chain(FaceMotion(), self._new_spotter(), MacroSpotter(self._config.spot), now)

    def _new_spotter(self) -> Spotter:
        return Spotter(self._config.spot, self.bundle.scorer)

    def _told(self, windows: list[Window], face_id: int) -> list[Told]:
        """The windows that become events; longer movements are counted, and told only where asked for."""
        self.macro_count += sum(window.macro for window in windows)
        return [Told(w, face_id) for w in windows if self._config.spot.report_macro or not w.macro]

    def _close_lost(self, frame: Frame) -> list[Told]:
        lost = [i for i, chain in self._chains.items() if frame.time - chain.seen > FORGET_S]
        return [told for face_id in lost for told in self._close(face_id)]

    def _close(self, face_id: int) -> list[Told]:
        return self._told(self._chains.pop(face_id).flush(), face_id)

    def _notice_rate(self, frame: Frame) -> None:
        """Once half a second has been seen, say what cannot be seen at a low rate."""
        if len(self._frames) >= 16:
            return
        self._frames.append(frame.time)
        if len(self._frames) == 16 and frame.time > self._frames[0]:
            rate = 15 / (frame.time - self._frames[0])
            if rate < LOW_RATE:
                self.notices.append(_low_rate_notice(rate))

    def _judge_noise(self, now: float, floor: float) -> None:
        """Once JUDGED_S of noise have been seen, say what it hides: a live picture can still be mended."""
        if not self.noise.total:
            self._noise_since = now
        self.noise.add(floor)
        if not self.noise_judged and now - self._noise_since >= JUDGED_S:
            self.noise_judged = True
            sentence = hidden(self.noise)
            self.notices += [sentence] if sentence else []

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[stage] += time.perf_counter() - start


def _low_rate_notice(rate: float) -> str:
    return (
        f"{rate:.0f} frames per second: onset, apex and offset are known to ±{1000 / rate:.0f} ms, and "
        f"movements shorter than {3000 / rate:.0f} ms cannot be told from noise; record at 100 to 200 "
        "frames per second to see them."
    )


def _row(frame: Frame, face: Face, motion: Motion | None, signal: float) -> FrameRow:
    return FrameRow(
        frame=frame.index,
        timestamp=frame.time,
        face_id=face.face_id,
        confidence=face.confidence,
        success=motion is not None,
        motion=signal,
        oed=face.oed,
        box=face.box,
        pose=face.pose,
        eye_opening=sum(motion.eyes) / 2 if motion is not None else 0.0,
        missing=frame.missing,
        duplicate=frame.duplicate,
        flags=("small_face",) if face.small or face.oed < SMALL_OED else (),
    )


def _empty_row(frame: Frame) -> FrameRow:
    return FrameRow(
        frame.index, frame.time, face_id=-1, confidence=0.0, success=False, motion=0.0,
        missing=frame.missing, duplicate=frame.duplicate,
    )  # fmt: skip
