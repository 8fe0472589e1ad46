"""A window that shows the run as it goes: face, motion, and the last events beside them; q closes it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from ..engine.errors import MicroauError
from ..engine.records import Face, Frame, Rgb
from .annotation import annotate, label, text_size
from .drawing import AMBER, BLUE, DARK, GRAY, WHITE, fit_text, put_text
from .events import Event, FrameRow
from .sink import Sink
from .trace import PAST_S, Trace
from .wording import clock

REFRESH_S = 1 / 30
"""Seconds between two pictures: more than a screen shows would only take time from the analysis."""
LAST_EVENTS = 12
LARGEST = (1280, 960)
"""Width and height of the picture in the window at most; a larger one is shown smaller."""
_TRY = "import cv2; cv2.namedWindow('microau'); cv2.waitKey(1)"


def check_display() -> None:
    """Refuse where no window can be opened.

    Tried in a process of its own: without a display, OpenCV's window system ends the process.
    """
    tried = subprocess.run([sys.executable, "-c", _TRY], capture_output=True, timeout=60, check=False)
    if tried.returncode:
        raise MicroauError("--view: no window can be opened here. Use --overlay FILE.mp4, or a screen")


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What one picture of the window shows."""

    frame: Frame
    faces: tuple[Face, ...]
    too_small: frozenset[int]
    trace: Trace
    events: tuple[Event, ...]
    """The last ones, oldest first."""


class View(Sink):
    """The window; `ending` is set once it was closed.

    It is drawn and shown in a thread of its own: that takes as long as some frames of a fast camera, and
    longer where the screen is busy. On a Mac, whose windows belong to the main thread, it is done in place.

    name  of the input, for the title
    """

    def __init__(self, name: str) -> None:
        self._title = f"microau - {name}"
        self._trace = Trace()
        self._events: deque[Event] = deque(maxlen=LAST_EVENTS)
        self._too_small: set[int] = set()
        self._next = 0.0
        self._open = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="view")
        self._showing: Future[None] | None = None

    def row(self, row: FrameRow) -> None:
        self._trace.add(row)
        if not row.success:
            self._too_small.add(row.face_id)

    def event(self, event: Event) -> None:
        self._events.append(event)

    def frame(self, frame: Frame, faces: Sequence[Face]) -> None:
        now = time.monotonic()
        if now >= self._next and not self.ending and self._is_free():
            self._next = now + REFRESH_S
            small, events = frozenset(self._too_small), tuple(self._events)
            self._begin(Scene(frame, tuple(faces), small, self._trace.copy(), events))
        self._too_small.clear()

    def _is_free(self) -> bool:
        """True: the last picture is on the screen; raises what went wrong with it."""
        if self._showing is None or not self._showing.done():
            return self._showing is None
        self._showing.result()
        return True

    def _begin(self, scene: Scene) -> None:
        if sys.platform == "darwin":
            self._show(scene)
        else:
            self._showing = self._pool.submit(self._show, scene)

    def _show(self, scene: Scene) -> None:
        picture = cv2.cvtColor(draw(scene), cv2.COLOR_RGB2BGR)
        if not self._open:
            os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # it misses fonts that none needs
            cv2.namedWindow(self._title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)  # no tool bar
            self._open = True
        cv2.imshow(self._title, picture)
        key = cv2.pollKey() & 0xFF
        closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        if key in (ord("q"), 27) or closed:
            self.ending = "window closed"

    def _destroy(self) -> None:
        if self._open:
            cv2.destroyWindow(self._title)
            self._open = False

    def close(self) -> None:
        if sys.platform == "darwin":
            self._destroy()
        else:
            self._pool.submit(self._destroy)
        self._pool.shutdown(wait=True)


def draw(scene: Scene) -> Rgb:
    """The annotated frame, and the last events to its right."""
    frame = scene.frame
    recent = [event for event in scene.events if event.offset_s > frame.time - PAST_S]
    left = annotate(frame, scene.faces, recent, scene.trace, scene.too_small)
    scale = min(1.0, LARGEST[0] / left.shape[1], LARGEST[1] / left.shape[0])
    if scale < 1:
        left = np.asarray(
            cv2.resize(left, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.concatenate([left, _list(scene.events, left.shape[0], left.shape[1])], axis=1)


def _list(events: Sequence[Event], rows: int, columns: int) -> Rgb:
    """The last events, newest on top, in a column as high as the picture."""
    size = text_size(rows, columns)
    panel = np.full((rows, round(21 * size), 3), DARK, np.uint8)
    put_text(panel, "last events (q closes)", (0.6 * size, 1.5 * size), 0.85 * size, GRAY)
    y = 3.2 * size
    for event in reversed(events):
        lines = [f"{clock(event.onset_s, 2)}  {label(event)[0]}", *label(event)[1:]]
        for i, line in enumerate(lines):
            colour = (BLUE if event.macro else AMBER) if i == 0 else WHITE
            text = fit_text(line, 0.9 * size, panel.shape[1] - size)
            put_text(panel, text, (0.6 * size, y), 0.9 * size, colour)
            y += 1.2 * size
        y += 0.6 * size
    return panel
