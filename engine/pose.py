"""Which way a head is turned: the rotation that lays the canonical face on a measured mesh.

Weak perspective: rotation, one scale, a shift (Kabsch 1976), on points that expressions move
little. Seen from far off this is the head's true rotation; a face at the picture's edge and
near the camera seems turned by the angle under which the camera sees it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .landmarks import CANONICAL, RIGID, RIGID_WEIGHT

Matrix = NDArray[np.float64]

# The picture's axes: x right, y down, z away from the camera; the canonical face has y and z reversed.
_MODEL = CANONICAL[RIGID].astype(np.float64) * np.array([1.0, -1.0, -1.0])
_WEIGHT = (RIGID_WEIGHT / RIGID_WEIGHT.sum()).astype(np.float64)[:, None]
_WEIGHTED_MODEL = (_MODEL - (_WEIGHT * _MODEL).sum(axis=0)) * _WEIGHT


def head_rotation(points: NDArray[np.floating]) -> Matrix:
    """Rotation (3, 3) from the canonical face, looking into the camera, to this one.

    points  (478 or 468, 3) x, y, z in pixels, as in `Face.points`
    return  acts on columns in the picture's axes: x right, y down, z away from the camera
    """
    covariance = points[RIGID].astype(np.float64).T @ _WEIGHTED_MODEL
    u, _, vt = np.linalg.svd(covariance)
    u[:, 2] *= np.sign(np.linalg.det(u @ vt))  # a rotation, never a reflection
    return np.asarray(u @ vt, np.float64)


def head_pose(points: NDArray[np.floating]) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees, with the signs of `Face.pose`."""
    return angles(head_rotation(points))


def angles(rotation: Matrix) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees of a rotation; the inverse of `rotation_of`."""
    nose = -rotation[:, 2]  # the canonical nose points to the camera, (0, 0, -1)
    yaw = np.arctan2(nose[0], -nose[2])
    pitch = np.arctan2(-nose[1], np.hypot(nose[0], nose[2]))
    straight = rotation_of(float(np.degrees(yaw)), float(np.degrees(pitch)), 0.0).T @ rotation
    roll = np.arctan2(straight[1, 0], straight[0, 0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def rotation_of(yaw: float, pitch: float, roll: float) -> Matrix:
    """Rotation (3, 3) of a head that rolls, then nods, then turns; degrees, signs of `Face.pose`."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians([yaw, pitch, roll])) for f in (np.cos, np.sin))
    turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(turn @ nod @ tilt, np.float64)
