"""How a head stands before the camera: the same for both geometries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .state import Head

CAMERA = 7.0
"""Distance of the camera in eye distances (60 cm for an adult)."""
NECK = 0.55
"""The head turns about a point this many eye distances behind the eyes, and below them."""


def rotation(head: Head) -> NDArray[np.float64]:
    """(3, 3) for points (x right, y down, z away): yaw about y, pitch about x, roll about z."""
    yaw, pitch, roll = np.radians([head.yaw, head.pitch, head.roll])
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)
