"""Names for the 478 points of the face mesh, the way to the 68 points, and how far eyes and mouth are open.

The 478 points are MediaPipe's: 0-467 the mesh, 468-472 the iris of the subject's right eye (centre,
then four on its rim), 473-477 that of the left. "left" and "right" are always the SUBJECT's; in an
unmirrored picture the subject's right eye lies on the left.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]


def _index(*numbers: int) -> Index:
    return np.array(numbers, np.intp)


N_MESH, N_POINTS = 468, 478

# Corner to corner, outer corner first.
RIGHT_UPPER_LID = _index(33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_LOWER_LID = _index(33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_UPPER_LID = _index(263, 466, 388, 387, 386, 385, 384, 398, 362)
LEFT_LOWER_LID = _index(263, 249, 390, 373, 374, 380, 381, 382, 362)
# Around: the lower lid inwards, the upper lid back.
RIGHT_EYE = np.concatenate([RIGHT_LOWER_LID, RIGHT_UPPER_LID[-2:0:-1]])
LEFT_EYE = np.concatenate([LEFT_LOWER_LID, LEFT_UPPER_LID[-2:0:-1]])

# Centre, then four points of the rim.
RIGHT_IRIS = _index(468, 469, 470, 471, 472)
LEFT_IRIS = _index(473, 474, 475, 476, 477)

# Upper edge from the temple inwards, then the lower edge likewise.
RIGHT_BROW = _index(70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
LEFT_BROW = _index(300, 293, 334, 296, 336, 276, 283, 282, 295, 285)

# Around, from the subject's right corner over the upper lip.
LIPS_OUTER = _index(
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146
)
LIPS_INNER = _index(
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95
)

# Around, from the top of the forehead by the subject's left ear.
FACE_OVAL = _index(
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

IBUG68: Index = _index(
    127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356,  # 0-16 jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # 17-26 brows
    168, 197, 5, 4, 98, 97, 2, 326, 327,  # 27-35 nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # 36-47 eyes
    61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91,  # 48-59 outer lips
    78, 82, 13, 312, 308, 317, 14, 87,  # 60-67 inner lips
)  # fmt: skip
"""(68,) the mesh point that stands for each of the 68 points of iBUG's 300-W (Sagonas et al. 2013),
in its order: image-left to image-right. Chosen as the nearest of each contour to the mean shape of 300-W;
the jaw as evenly as the mesh allows, since 300-W spaces it evenly from ear to chin."""


def _geometry() -> tuple[NDArray[np.float32], Index, Index, NDArray[np.float32]]:
    with np.load(Path(__file__).with_name("assets") / "face_mesh.npz") as data:
        triangles, rigid = (data[name].astype(np.intp) for name in ("triangles", "rigid"))
        return data["canonical"], triangles, rigid, data["rigid_weight"]


CANONICAL: NDArray[np.float32]
"""(468, 3) MediaPipe's canonical face: about cm, x towards the subject's left (the picture's right), y up,
z out of the face."""
TRIANGLES: Index
"""(898, 3) the mesh's triangles, closed over eyes and mouth."""
RIGID: Index
"""(33,) points that expressions move little, by which the head's pose is measured."""
RIGID_WEIGHT: NDArray[np.float32]
"""(33,) MediaPipe's weights of those points."""
CANONICAL, TRIANGLES, RIGID, RIGID_WEIGHT = _geometry()


def to_68(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """The 68 points of iBUG's numbering out of the mesh, (478 or 468, d) -> (68, d)."""
    return points[IBUG68]


# Pairs across the lid gap, away from the corners; then the corners.
_RIGHT_GAP = (_index(160, 159, 158), _index(144, 145, 153))
_LEFT_GAP = (_index(387, 386, 385), _index(373, 374, 380))
_MOUTH_GAP = (_index(82, 13, 312), _index(87, 14, 317))


def eye_opening(points: NDArray[np.floating]) -> tuple[float, float]:
    """Lid gap over eye width, of the subject's right and left eye.

    About 0.3 open and 0.1 to 0.2 shut, by person: a blink is told from its fall, not from one limit.

    points  (478 or 468, 2 or 3) pixels; depth is not used
    """
    return (
        _opening(points, _RIGHT_GAP, (33, 133)),
        _opening(points, _LEFT_GAP, (263, 362)),
    )


def mouth_opening(points: NDArray[np.floating]) -> float:
    """Gap between the inner lips over the mouth's width: 0 closed."""
    return _opening(points, _MOUTH_GAP, (78, 308))


def _opening(points: NDArray[np.floating], gap: tuple[Index, Index], ends: tuple[int, int]) -> float:
    across = points[gap[0], :2] - points[gap[1], :2]
    along = points[ends[0], :2] - points[ends[1], :2]
    heights = np.sqrt(np.einsum("ij,ij->i", across, across))
    return float(heights.mean() / max(float(np.hypot(*along)), 1e-6))


def gaze(points: NDArray[np.floating]) -> tuple[float, float]:
    """Where the irises stand between the eye corners, mean of both eyes: (0, 0) about straight ahead.

    points  (478, 2 or 3) pixels
    return  x towards the picture's right, y down, both in eye widths (the eyes' own axes, so that a
            tilted head does not count); looking far aside is about 0.2
    """
    right = _gaze_of(points[468, :2], points[33, :2], points[133, :2])
    left = _gaze_of(points[473, :2], points[362, :2], points[263, :2])
    return (right[0] + left[0]) / 2, (right[1] + left[1]) / 2


def _gaze_of(
    iris: NDArray[np.floating], start: NDArray[np.floating], end: NDArray[np.floating]
) -> tuple[float, float]:
    """Iris centre from the middle of the corners, along and across the line between them."""
    along = end - start
    offset = iris - (start + end) / 2
    square = max(float(along @ along), 1e-6)
    return float(offset @ along) / square, float(along[0] * offset[1] - along[1] * offset[0]) / square
