"""What travels from stage to stage: frozen records, every field with its shape and unit.

Letters: H, W rows and columns of the picture. Points are (x, y) in pixels, x to the right, y down,
(0, 0) the centre of the top-left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import MicroauError

Points = NDArray[np.float32]
Gray = NDArray[np.uint8]
Rgb = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One decoded picture as brightness and colour difference planes, so that nothing is converted
    that nobody looks at: motion is measured on the luma alone, the face models see a small RGB crop.
    """

    luma: Gray
    """(H, W) brightness Y', as the decoder gave it."""
    chroma: tuple[Gray, Gray] | None = None
    """(H/2, W/2) each, rounded up: Cb and Cr of 4:2:0. None: a gray picture."""
    full_range: bool = False
    """True: Y' runs 0..255 (JPEG, cameras' MJPEG). False: 16..235 (broadcast H.264)."""
    bt709: bool = False
    """True: Rec. 709 colour matrix (HD). False: Rec. 601 (SD, JPEG)."""

    def __post_init__(self) -> None:
        if self.luma.ndim != 2 or self.luma.dtype != np.uint8:
            raise ValueError(f"luma must be (H, W) uint8, not {self.luma.shape} {self.luma.dtype}")

    @property
    def height(self) -> int:
        return int(self.luma.shape[0])

    @property
    def width(self) -> int:
        return int(self.luma.shape[1])

    @classmethod
    def from_rgb(cls, rgb: Rgb) -> Picture:
        """From (H, W, 3) RGB or (H, W) gray uint8, full range."""
        if rgb.ndim == 2:
            return cls(np.ascontiguousarray(rgb), None, full_range=True)
        ycrcb = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2YCrCb)  # Rec. 601, full range
        half = ((rgb.shape[1] + 1) // 2, (rgb.shape[0] + 1) // 2)
        cr = cv2.resize(ycrcb[:, :, 1], half, interpolation=cv2.INTER_AREA)
        cb = cv2.resize(ycrcb[:, :, 2], half, interpolation=cv2.INTER_AREA)
        luma = np.asarray(ycrcb[:, :, 0], np.uint8)
        return cls(
            np.ascontiguousarray(luma),
            (np.asarray(cb, np.uint8), np.asarray(cr, np.uint8)),
            full_range=True,
        )

    def warp_luma(self, matrix: NDArray[np.float64], size: tuple[int, int]) -> Gray:
        """Crop of the luma, (height, width) uint8, border repeated.

        matrix  (2, 3) affine from crop pixels to picture pixels
        size    (width, height) of the crop
        """
        return warp(self.luma, matrix, size)

    def warp_rgb(self, matrix: NDArray[np.float64], size: tuple[int, int]) -> Rgb:
        """Crop in colour, (height, width, 3) RGB uint8; a gray picture gives three equal channels."""
        luma = self.warp_luma(matrix, size)
        if self.chroma is None:
            return _gray_to_rgb(luma, self.full_range)
        cb, cr = (_warp_chroma(plane, matrix, size) for plane in self.chroma)
        return yuv_to_rgb(luma, cb, cr, full_range=self.full_range, bt709=self.bt709)

    def rgb(self) -> Rgb:
        """The whole picture, (H, W, 3) RGB uint8."""
        if self.chroma is None:
            return _gray_to_rgb(self.luma, self.full_range)
        size = (self.width, self.height)
        # Repeat, then cut: a resize of an odd size would shift the colours by up to half a pixel.
        cb, cr = (
            np.ascontiguousarray(plane.repeat(2, 0).repeat(2, 1)[: size[1], : size[0]])
            for plane in self.chroma
        )
        return yuv_to_rgb(self.luma, cb, cr, full_range=self.full_range, bt709=self.bt709)


def _warp_chroma(plane: Gray, matrix: NDArray[np.float64], size: tuple[int, int]) -> Gray:
    """Crop of a plane of half the picture's size, for the picture's matrix (2, 3).

    The plane is looked at with half the crop's pixels, since it holds no more, and the crop enlarged:
    a third of the time. Chroma sample i lies between luma 2i and 2i + 1, in the plane and in the crop.
    """
    linear, shift = matrix[:, :2], matrix[:, 2:]
    if size[0] % 2 or size[1] % 2:
        return warp(plane, np.hstack([linear / 2, shift / 2 - 0.25]), size)
    half = np.hstack([linear, (shift + linear.sum(axis=1, keepdims=True) / 2) / 2 - 0.25])
    return np.asarray(cv2.resize(warp(plane, half, (size[0] // 2, size[1] // 2)), size), np.uint8)


def warp(plane: Gray, matrix: NDArray[np.float64], size: tuple[int, int]) -> Gray:
    """Crop (height, width) of a plane (H, W) uint8; matrix (2, 3) from crop to plane, border repeated."""
    matrix = np.asarray(matrix, np.float64)
    shrink = int(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]) ** 0.5)
    if shrink >= 2:
        plane, matrix = _shrunk(plane, matrix, size, shrink)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(plane, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _shrunk(
    plane: Gray, matrix: NDArray[np.float64], size: tuple[int, int], shrink: int
) -> tuple[Gray, NDArray[np.float64]]:
    """The part of the plane that the crop sees, averaged over `shrink` x `shrink` pixels, and the
    affine into it: a bilinear look at every n-th pixel alone would let fine texture alias into motion.
    """
    corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [size[0], size[1], 1]]) @ matrix.T
    low = np.clip(np.floor(corners.min(axis=0)) - shrink, 0, None).astype(int) // shrink * shrink
    high = np.ceil(corners.max(axis=0)).astype(int) + shrink
    part = plane[low[1] : max(high[1], low[1] + shrink), low[0] : max(high[0], low[0] + shrink)]
    if part.shape[0] < shrink or part.shape[1] < shrink:  # the crop lies outside the picture
        return plane, matrix
    part = part[: part.shape[0] // shrink * shrink, : part.shape[1] // shrink * shrink]
    small = cv2.resize(part, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    inside = matrix / shrink
    # Pixel i of the small picture is the mean of shrink pixels: its centre lies at their middle.
    inside[:, 2] = (matrix[:, 2] - low - (shrink - 1) / 2) / shrink
    return np.asarray(small, np.uint8), inside


def _gray_to_rgb(luma: Gray, full_range: bool) -> Rgb:
    gray = luma if full_range else cv2.convertScaleAbs(luma, alpha=255 / 219, beta=-16 * 255 / 219)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(gray), cv2.COLOR_GRAY2RGB), np.uint8)


def yuv_to_rgb(luma: Gray, cb: Gray, cr: Gray, *, full_range: bool, bt709: bool) -> Rgb:
    """(H, W) planes of one size -> (H, W, 3) RGB uint8 (ITU-R BT.601 or BT.709, H.273)."""
    kr, kb = (0.2126, 0.0722) if bt709 else (0.299, 0.114)
    kg = 1 - kr - kb
    ys, cs, y0 = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    rows = np.array(
        [
            [ys, 0, 2 * (1 - kr) * cs],
            [ys, -2 * (1 - kb) * kb / kg * cs, -2 * (1 - kr) * kr / kg * cs],
            [ys, 2 * (1 - kb) * cs, 0],
        ]
    )
    shift = -rows @ np.array([y0, 128.0, 128.0])
    matrix = np.concatenate([rows, shift[:, None]], axis=1)  # (3, 4)
    return np.asarray(cv2.transform(cv2.merge([luma, cb, cr]), matrix), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture with its place in the stream and in time."""

    index: int
    """Counts every frame that the source delivered, from 0, dropped ones too."""
    pts: int
    """Presentation time stamp in units of `time_base`, as in the file."""
    time_base: Fraction
    """Seconds per unit of `pts`."""
    time: float
    """Presentation time in seconds minus that of the first frame: the only clock of the analysis."""
    picture: Picture
    received: float = 0.0
    """Monotonic clock in seconds when the frame reached this machine; for latency alone."""
    missing: int = 0
    """Frames known to have been lost just before this one."""
    duplicate: bool = False
    """True: the same picture as the one before (a repeated frame)."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one frame."""

    face_id: int
    """Stable from frame to frame, from 0 in order of appearance."""
    points: NDArray[np.float32]
    """(478, 3) MediaPipe's face mesh and irises: x, y in pixels of the picture, z in the same unit
    (smaller is nearer the camera, 0 about the head's centre)."""
    confidence: float
    """0..1, the mesh model's own face score."""
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Yaw, pitch, roll of the head in degrees; 0 looks into the camera. Yaw > 0: nose towards the
    picture's right; pitch > 0: nose up; roll > 0: clockwise as seen in the picture."""

    small: bool = False
    """True: too few pixels to measure a micro-expression."""

    def __post_init__(self) -> None:
        if self.points.shape != (478, 3):
            raise ValueError(f"a face has (478, 3) points, not {self.points.shape}")

    @property
    def oed(self) -> float:
        """Outer-eye-corner distance in pixels: the unit of every amplitude."""
        return float(np.linalg.norm(self.points[33, :2] - self.points[263, :2]))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the mesh in pixels."""
        low, high = self.points[:468, :2].min(axis=0), self.points[:468, :2].max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


__all__ = ["Face", "Frame", "Gray", "MicroauError", "Picture", "Points", "Rgb", "yuv_to_rgb"]
