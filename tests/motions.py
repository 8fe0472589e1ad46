"""Drawn motion for the spotter: regions that move as told, with measurement noise."""

import numpy as np

from microau.engine.motion import Motion
from microau.engine.records import Face
from microau.engine.regions import NAMES, REGIONS

FACE = np.zeros((478, 3), np.float32)
FACE[263, 0] = 110.0
CROP = np.zeros((4, 4), np.uint8)
SMILE = {
    "right mouth corner": (-0.6, -0.8),
    "left mouth corner": (0.6, -0.8),
    "right fold beside the mouth": (-0.3, -0.4),
    "left fold beside the mouth": (0.3, -0.4),
}
BROWS = {
    f"{side} {part} brow": (0.0, -1.0)
    for side in ("right", "left")
    for part in ("inner", "middle", "outer")
}


def pulse(time, onset, apex, offset):
    """0 outside, smooth to 1 at the apex and back."""
    up = np.clip((time - onset) / (apex - onset), 0, 1)
    down = np.clip((offset - time) / (offset - apex), 0, 1)
    return np.sin(np.pi / 2 * np.minimum(up, down)) ** 2


def motions(time, courses, noise=0.04, seed=0, **fields):
    """Motion records.

    time     (n,) seconds
    courses  list of (directions by region name in percent of OED, (n,) course)
    fields   name -> (n,) or (n, ...) values that differ from rest
    """
    rng = np.random.default_rng(seed)
    shift = noise * rng.standard_normal((len(time), len(REGIONS), 2))
    for directions, course in courses:
        for name, direction in directions.items():
            shift[:, NAMES.index(name)] += np.outer(course, direction)
    return [
        record(i, t, shift[i], {name: values[i] for name, values in fields.items()})
        for i, t in enumerate(time)
    ]


def record(index, time, shift, changes):
    usual = {
        "eyes": (0.3, 0.3),
        "mouth": 0.0,
        "gaze": (0.0, 0.0),
        "light": 120.0,
        "missing": 0,
        "duplicate": False,
        "head": np.zeros(6, np.float32),
    }
    return Motion(
        index=index,
        time=float(time),
        face=Face(0, FACE, 1.0),
        shift=shift.astype(np.float32),
        rest=np.ones(len(REGIONS), np.float32),
        crop=CROP,
        matrix=np.eye(2, 3),
        cut=index == 0,
        **(usual | changes),
    )
