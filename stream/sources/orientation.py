"""Which way up: the container's display matrix (phones, selfie cameras), applied to the planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.records import Gray, Picture

if TYPE_CHECKING:
    import av


@dataclass(frozen=True, slots=True)
class Orientation:
    """Transpose first, then flip: the eight ways in which a picture can lie."""

    transposed: bool = False
    rows_flipped: bool = False
    columns_flipped: bool = False

    @property
    def mirrored(self) -> bool:
        """True: left and right are exchanged, which no rotation does."""
        return self.transposed ^ self.rows_flipped ^ self.columns_flipped

    @property
    def degrees(self) -> int:
        """Counter-clockwise rotation 0, 90, 180 or 270; if mirrored, before the left-right flip."""
        columns_flipped = self.columns_flipped ^ self.mirrored
        if self.transposed:
            return 90 if self.rows_flipped else 270
        return 180 if columns_flipped else 0


UPRIGHT = Orientation()


def orientation(frame: av.VideoFrame) -> Orientation:
    """What the frame's display matrix asks for, to the nearest quarter turn."""
    side = frame.side_data.get("DISPLAYMATRIX")
    return UPRIGHT if side is None else from_matrix(np.frombuffer(side, np.int32))


def from_matrix(matrix: NDArray[np.int32]) -> Orientation:
    """From the nine numbers of ISO 14496-12: (p, q) goes to (m0 p + m3 q, m1 p + m4 q), y down."""
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    if abs(b) > abs(a):
        return Orientation(transposed=True, rows_flipped=b < 0, columns_flipped=c < 0)
    return Orientation(rows_flipped=d < 0, columns_flipped=a < 0)


def apply(picture: Picture, way: Orientation) -> Picture:
    """The picture as it should be seen; the planes are new where anything changes."""
    if way == UPRIGHT:
        return picture
    chroma = picture.chroma and (_apply(picture.chroma[0], way), _apply(picture.chroma[1], way))
    return Picture(_apply(picture.luma, way), chroma, picture.full_range, picture.bt709)


def _apply(values: Gray, way: Orientation) -> Gray:
    values = np.asarray(cv2.transpose(values), np.uint8) if way.transposed else values
    if way.rows_flipped or way.columns_flipped:
        both = way.rows_flipped and way.columns_flipped
        values = np.asarray(cv2.flip(values, -1 if both else int(way.columns_flipped)), np.uint8)
    return values
