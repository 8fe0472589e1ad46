"""A steady crop of the face: same size, same place, same scale, for every person and camera.

One similarity transform per window, from the outer eye corners of one frame (or their mean over a
few): landmarks tremble by as much as a micro-expression moves, so they are not followed frame by
frame (He Yuhong et al., MEGC 2021/2024; SpotFormer). The crop is 2 OED wide, from 0.62 OED above
the eye line to 1.38 OED below it: brows, cheeks, mouth and chin with a margin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CROP = 224
"""Pixels, width and height of the crop."""
CROP_OED = 112.0
"""Pixels between the outer eye corners in the crop: 1 % of the eye distance is 1.12 px."""
EYE_ROW = 70.0
"""Row of the eye line in the crop."""
RIGHT_EYE, LEFT_EYE = 33, 263
"""Outer corners of the subject's right and left eye in the 478 points."""

Affine = NDArray[np.float64]


def crop_matrix(points: NDArray[np.floating], size: int = CROP) -> Affine:
    """Affine (2, 3) from crop pixels to picture pixels, with the eye line level in the crop.

    points  (478, 2 or 3) in pixels of the picture
    size    width and height of the crop in pixels; the face fills the same share of it
    """
    right, left = (np.asarray(points[i, :2], np.float64) for i in (RIGHT_EYE, LEFT_EYE))
    scale = CROP / size / CROP_OED
    along = (left - right) * scale  # picture step of one crop pixel to the right
    across = np.array([-along[1], along[0]])
    middle = np.array([(size - 1) / 2, EYE_ROW * size / CROP])
    linear = np.stack([along, across], axis=1)  # (2, 2)
    return np.concatenate([linear, ((left + right) / 2 - linear @ middle)[:, None]], axis=1)


def invert(matrix: Affine) -> Affine:
    """The affine (2, 3) that goes the other way."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -(linear @ matrix[:, 2:])], axis=1)


def apply(matrix: Affine, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Move points (..., 2) by an affine (2, 3)."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def to_crop(points: NDArray[np.floating], matrix: Affine) -> NDArray[np.float32]:
    """Picture points (N, 2 or 3) in crop pixels, (N, same); z is scaled alike."""
    back = invert(matrix)
    moved = np.empty(points.shape, np.float32)
    moved[:, :2] = apply(back, points[:, :2])
    if points.shape[1] == 3:
        moved[:, 2] = points[:, 2] * np.sqrt(abs(np.linalg.det(back[:, :2])))
    return moved
