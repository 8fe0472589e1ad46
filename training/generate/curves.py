"""Real motion: blendshape curves of a face tracker, cut into excerpts for generated movements.

in    a CSV as LiveLinkFace records it: one row a frame, a timecode, columns such as MouthSmileLeft 0..1
out   courses of channels: which units moved together, and how, on a living face
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from .anatomy import FULL
from .scenario import Course

Floats = NDArray[np.float64]

COLUMNS: Mapping[str, tuple[str, float]] = {
    "BrowInnerUp": ("1L 1R", FULL[1]),
    "MouthShrugLower": ("17", FULL[17]),
    "MouthPucker": ("18", FULL[18]),
    "MouthRollLower": ("23", FULL[23]),
    "JawOpen": ("26", 32.0),
} | {
    f"{name}{side}": (f"{au}{side[0]}", FULL[au])
    for side in ("Left", "Right")
    for name, au in {
        "BrowOuterUp": 2, "BrowDown": 4, "EyeWide": 5, "CheekSquint": 6, "EyeSquint": 7, "NoseSneer": 9,
        "MouthUpperUp": 10, "MouthSmile": 12, "MouthDimple": 14, "MouthFrown": 15, "MouthLowerDown": 16,
        "MouthStretch": 20,
    }.items()
}  # fmt: skip
"""Column -> channels, and percent OED at full strength. Blinks are left to the generator's own."""
SECONDS: Mapping[str, tuple[float, float]] = {"micro": (0.3, 0.9), "macro": (0.8, 3.0)}
"""Length of the excerpts. A micro-expression is an ordinary movement made to run faster."""
APEX = (0.28, 0.55)
"""Where the apex of a micro-expression lies, as a share of its length."""
STEPS = 120
"""Values of a course."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One take."""

    names: tuple[str, ...]
    values: Floats
    """(frames, channels) percent OED."""
    rate: float
    """Frames per second."""

    def excerpt(self, rng: np.random.Generator, kind: str) -> Course:
        """A stretch with a clear movement, brought to nothing at both ends.

        kind  'micro': one rise and one fall, the apex where a micro-expression's may be; 'macro': any
        """
        for _ in range(200):
            length = max(round(float(rng.uniform(*SECONDS[kind])) * self.rate), 6)
            start = int(rng.integers(len(self.values) - length))
            course = _course(self.names, self.values[start : start + length])
            if course is not None and _rises(course) and (kind == "macro" or _is_single(course)):
                return course
        raise MicroauError("the recorded curves hold no clear movement: give a livelier take")


def load_recording(path: Path) -> Recording:
    """Read a take. Raises MicroauError where the file is missing or has none of the columns."""
    if not path.is_file():
        raise MicroauError(f"{path}: no such file. Give blendshape curves as LiveLinkFace writes them")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = [name for name in COLUMNS if rows and name in rows[0]]
    if len(rows) < 60 or not known:
        raise MicroauError(f"{path}: holds no blendshape curves (columns such as MouthSmileLeft, 60 rows)")
    try:
        table = np.array([[float(row[name]) for name in known] for row in rows])
        rate = _rate([row["Timecode"] for row in rows])
    except (KeyError, ValueError, TypeError) as error:
        raise MicroauError(f"{path}: is not a table of numbers with timecodes ({error})") from None
    pairs = [(channel, k) for k, name in enumerate(known) for channel in COLUMNS[name][0].split()]
    full = np.array([COLUMNS[name][1] for name in known])
    order = [k for _, k in pairs]
    return Recording(tuple(channel for channel, _ in pairs), (table * full)[:, order], rate)


def _rate(codes: list[str]) -> float:
    """Frames per second from timecodes hh:mm:ss:frame, the frame with decimals.

    >>> round(_rate(["13:13:04:58.6", "13:13:05:00.6", "13:13:05:02.6"]))
    30
    """
    parts = np.array([[float(part) for part in code.split(":")] for code in codes])
    base = next(base for base in (24, 25, 30, 50, 60, 1000) if parts[:, 3].max() < base)
    seconds = parts @ np.array([3600, 60, 1, 1 / base])
    if seconds[-1] <= seconds[0]:
        raise ValueError("timecodes do not rise")
    return float((len(codes) - 1) / (seconds[-1] - seconds[0]))


def _course(names: tuple[str, ...], values: Floats) -> Course | None:
    """The change from a line between both ends; None where hardly anything moves."""
    ramp = np.linspace(0, 1, len(values))[:, None]
    change = values - (values[0] * (1 - ramp) + values[-1] * ramp)
    moving = np.abs(change).max(axis=0) > 0.15 * np.abs(change).max()
    if np.abs(change).max() < 1.0:  # percent OED: below it a tracker's curves are mostly noise
        return None
    places = np.linspace(0, len(values) - 1, STEPS)
    frames = np.arange(len(values))
    fine = np.stack([np.interp(places, frames, column) for column in change[:, moving].T], axis=1)
    smooth = np.stack([np.convolve(column, SMOOTH, "same") for column in fine.T], axis=1)
    window = np.clip(np.minimum(np.arange(STEPS), np.arange(STEPS)[::-1]) / (0.1 * STEPS), 0, 1)[:, None]
    kept = tuple(name for name, moves in zip(names, moving, strict=True) if moves)
    return Course(kept, smooth * window * window * (3 - 2 * window))


def _rises(course: Course) -> bool:
    """The largest movement is a muscle that contracts, not one that lets go."""
    apex = course.values[int(np.argmax(np.linalg.norm(course.values, axis=1)))]
    return bool(apex[int(np.argmax(np.abs(apex)))] > 0)


def _is_single(course: Course) -> bool:
    """One rise and one fall, with the apex where a micro-expression has it."""
    size = np.linalg.norm(course.values, axis=1)
    apex = int(np.argmax(size))
    above = size > 0.5 * size[apex]
    humps = int(np.count_nonzero(np.diff(above.astype(int)) == 1))
    return humps == 1 and APEX[0] < apex / STEPS < APEX[1]


SMOOTH = np.hanning(15) / np.hanning(15).sum()
"""Takes the corners off the tracker's steps."""
