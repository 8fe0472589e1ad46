"""The strip below the picture: how much each face moved, and the events as bands along the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.records import Rgb
from .drawing import (
    AMBER,
    BLUE,
    DARK,
    GRAY,
    WHITE,
    draw_lines,
    face_colour,
    fit_text,
    line_width,
    put_text,
    shade,
)
from .events import Event, FrameRow

PAST_S = 3.0
"""Seconds of the past that the strip shows."""
LEAST_RANGE = 3.0
"""Percent of eye distance at the top of the strip at least, so that stillness looks still."""


class Trace:
    """The motion of the last seconds.

    ahead_s  seconds beyond the picture at hand that are already known, shown to the right of it
    """

    def __init__(self, ahead_s: float = 0.0) -> None:
        self._ahead_s = ahead_s
        self._rows: dict[int, deque[tuple[float, float]]] = {}

    def add(self, row: FrameRow) -> None:
        """The next row; what is too old to be shown is let go."""
        oldest = row.timestamp - PAST_S - self._ahead_s - 1.0
        if row.success:
            self._rows.setdefault(row.face_id, deque()).append((row.timestamp, row.motion))
        for face_id in [i for i, points in self._rows.items() if points[-1][0] < oldest]:
            del self._rows[face_id]
        for points in self._rows.values():
            while points[0][0] < oldest:
                points.popleft()

    def copy(self) -> Trace:
        """As it is now, for a thread that draws while more rows come."""
        other = Trace(self._ahead_s)
        other._rows = {face_id: points.copy() for face_id, points in self._rows.items()}
        return other

    def draw(self, strip: Rgb, moment: float, events: Sequence[Event], size: float) -> None:
        """Fill a strip (h, W, 3): the time `moment` stands under the line, text is `size` pixels high."""
        strip[:] = DARK
        scale = _Scale(strip, moment, self._ahead_s, self._range())
        _draw_grid(strip, scale, size)
        for event in events:
            _draw_band(strip, scale, event, size)
        for face_id, points in self._rows.items():
            draw_lines(strip, _pieces(scale, points), face_colour(face_id), line_width(size))
        now = scale.x(moment)
        shade(strip, (now, 0, strip.shape[1], strip.shape[0]), DARK, 0.45)  # what is still to come
        cv2.line(strip, (round(now), 0), (round(now), strip.shape[0]), WHITE, line_width(size))
        put_text(strip, "motion, % of eye distance", (0.4 * size, 1.1 * size), 0.8 * size, GRAY)

    def _range(self) -> float:
        highest = max((motion for points in self._rows.values() for _, motion in points), default=0.0)
        return max(LEAST_RANGE, 1.15 * highest)


class _Scale:
    """Time and motion to pixels of the strip."""

    def __init__(self, strip: Rgb, moment: float, ahead_s: float, top: float) -> None:
        self._height, self._width = strip.shape[:2]
        self._start, self._span, self.top = moment - PAST_S, PAST_S + ahead_s, top

    def x(self, time: float) -> float:
        return float(self._width * (time - self._start) / self._span)

    def y(self, motion: float) -> float:
        return float(self._height * (1 - 0.92 * motion / self.top) - 1)

    def points(self, points: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
        return np.array([(self.x(time), self.y(motion)) for time, motion in points])


def _pieces(scale: _Scale, points: deque[tuple[float, float]]) -> list[NDArray[np.float64]]:
    """Lines without the stretches in which the face was not seen."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for before, point in zip([points[0], *points], points, strict=False):
        if point[0] - before[0] > 0.25:
            pieces.append([])
        pieces[-1].append(point)
    return [scale.points(piece) for piece in pieces]


def _draw_grid(strip: Rgb, scale: _Scale, size: float) -> None:
    step = max(1, round(scale.top / 3))
    for percent in range(step, int(scale.top) + 1, step):
        y = round(scale.y(percent))
        cv2.line(strip, (0, y), (strip.shape[1], y), (44, 49, 57), 1)
        if y > size:
            put_text(strip, f"{percent}", (strip.shape[1] - 1.6 * size, y - 0.2 * size), 0.75 * size, GRAY)


def _draw_band(strip: Rgb, scale: _Scale, event: Event, size: float) -> None:
    """Onset to offset as a band, the apex as a line, the units above it."""
    colour = BLUE if event.macro else AMBER
    left, apex, right = (scale.x(time) for time in (event.onset_s, event.apex_s, event.offset_s))
    if right < 0 or left > strip.shape[1]:
        return
    shade(strip, (left, 0, right, strip.shape[0]), colour, 0.22)
    cv2.line(
        strip, (round(apex), round(2.5 * size)), (round(apex), strip.shape[0]), colour, line_width(size)
    )
    text = fit_text(short_name(event), 0.85 * size, 0.3 * strip.shape[1])
    put_text(strip, text, (max(left, 2.0) + 0.2 * size, 2.2 * size), 0.85 * size, colour)


def short_name(event: Event) -> str:
    """The units as `AU1+2`, or what else the event is.

    An event without a decided unit is a movement that the model does not name.
    """
    return f"AU{event.aus}" if event.units else ("macro" if event.macro else "moved")
