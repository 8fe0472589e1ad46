"""What a person sees on stderr while a run goes on: a bar for a recording, a status line for a camera.

On a terminal alone; elsewhere only the sentences that must be said.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn

from ..engine.records import Face, Frame
from .histogram import Histogram
from .session import Session
from .sink import Sink
from .wording import clock, count

REFRESH_S = 0.2
"""Seconds between two drawings of the bar: drawing costs some milliseconds, as much as a frame."""
RECENT_S = 3.0
"""Seconds over which speed and lost frames are averaged."""


class Reporter(Sink):
    """Says sentences on stderr; shows nothing else. With `quiet`, nothing at all."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    def say(self, sentence: str) -> None:
        """Print a line on stderr, above a bar if there is one."""
        if not self._quiet:
            print(f"microau: {sentence}", file=sys.stderr, flush=True)


class LiveReporter(Reporter):
    """A last line of the terminal that is drawn anew some times a second."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._recent = _Recent()
        self._next = 0.0
        columns: list[ProgressColumn] = [TextColumn("{task.fields[text]}")]
        if not session.live:
            columns = [BarColumn(bar_width=None), TaskProgressColumn(), *columns]
        self._progress = Progress(
            *columns,
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
            expand=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._task = self._progress.add_task("", total=_length(session), text="")
        self._progress.start()

    def say(self, sentence: str) -> None:
        self._progress.console.print(f"microau: {sentence}", markup=False, highlight=False)

    def frame(self, frame: Frame, faces: Sequence[Face]) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + REFRESH_S
        tally = self._session.tally
        self._recent.add(_Mark(now, tally.frames, frame.time, tally.latency.copy()))
        text = self._live_text() if self._session.live else self._recorded_text(frame.time)
        done = frame.time - self._session.config.capture.start
        self._progress.update(self._task, completed=done, text=text, refresh=True)

    def _recorded_text(self, moment: float) -> str:
        fps, pace = self._recent.fps, self._recent.pace
        facts = [
            f"{fps:.0f} frames/s",
            f"{pace:.1f} x real time",
            count(self._session.tally.events, "event"),
        ]
        total = _length(self._session)
        if total is not None and pace > 0:
            left = max(0.0, total - (moment - self._session.config.capture.start)) / pace
            facts.append(f"{clock(left)} left")
        return "  ".join(facts)

    def _live_text(self) -> str:
        tally = self._session.tally
        latency = self._recent.latency
        lost = tally.missing  # at the source and here: a hole in the numbers shows both
        return "  ".join(
            [
                clock(tally.last_time),
                f"{self._recent.fps:.0f} frames/s",
                f"{lost} lost",
                f"latency {latency.quantile(0.5):.1f} ms, p99 {latency.quantile(0.99):.1f} ms",
                count(tally.events, "event"),
            ]
        )

    def close(self) -> None:
        self._progress.stop()


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where the run stood at one drawing."""

    clock: float
    frames: int
    moment: float
    latency: Histogram


class _Recent:
    """How it went over the last few seconds."""

    def __init__(self) -> None:
        self._marks: deque[_Mark] = deque()

    def add(self, mark: _Mark) -> None:
        self._marks.append(mark)
        while mark.clock - self._marks[0].clock > RECENT_S:
            self._marks.popleft()

    def _per_second(self, gained: float) -> float:
        seconds = self._marks[-1].clock - self._marks[0].clock
        return gained / seconds if seconds > 0 else 0.0

    @property
    def fps(self) -> float:
        """Frames per second of wall clock."""
        return self._per_second(self._marks[-1].frames - self._marks[0].frames)

    @property
    def pace(self) -> float:
        """Seconds of video per second of wall clock."""
        return self._per_second(self._marks[-1].moment - self._marks[0].moment)

    @property
    def latency(self) -> Histogram:
        """From arrival to rows, milliseconds."""
        return self._marks[-1].latency.since(self._marks[0].latency)


def _length(session: Session) -> float | None:
    """Seconds of video to be analysed, where known."""
    capture, whole = session.config.capture, session.source.probe.duration
    ends = [end for end in (capture.end, whole) if end is not None]
    return max(0.0, min(ends) - capture.start) if ends else None


def make_reporter(session: Session) -> Reporter:
    """What fits stderr and the settings."""
    if session.config.output.quiet:
        return Reporter(quiet=True)
    return LiveReporter(session) if sys.stderr.isatty() else Reporter()
