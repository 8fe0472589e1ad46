"""A photograph as one smooth sheet that moves: five times faster than the generator's own face.

Lids and lips are no edges here and nothing lies behind them: good for the motion of skin regions, which
is all that the spotter sees, not for pictures that a model should learn from. The movements, the head,
the eyes and the truth are the generator's.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.landmarks import CANONICAL, TRIANGLES
from ..engine.rigid import normalised, paint, rigid_shift
from .generate.fields import FieldsOf
from .generate.state import Head, State

F32 = NDArray[np.float32]

FINER = 2
"""Texture pixels per picture pixel: OpenCV reads positions to 1/32 of the former."""
WIDE, HIGH, EYE_ROW = 2.4, 2.5, 0.36
"""Picture in eye distances, and the row of the eyes as a share of its height."""
SOFTEST = 0.55
"""Picture pixels, standard deviation of the least blur: a lens is no sharper than its pixels."""
SHUT = 7.0
"""Percent of the eye distance by which the upper lids fall in a full blink."""
EYES = ((33, 133), (362, 263))
TRIS = TRIANGLES.astype(np.int32)


class QuickFace:
    """One person at one size.

    photo    (H, W) gray levels
    points   (478, 3) face points in it
    oed      eye distance in pixels of the pictures to come
    fields   how the channels move the mesh points; None until `with_fields`
    stretch  width over height, as a ratio to the photograph's: another head
    blur     pixels, standard deviation of the lens
    """

    def __init__(
        self, photo: F32, points: F32, oed: float, stretch: float = 1.0, blur: float = 0.0
    ) -> None:
        self.size = int(WIDE * oed / 2) * 2, int(HIGH * oed / 2) * 2
        self._oed = np.float32(oed)
        factor = oed / float(np.linalg.norm(points[33, :2] - points[263, :2]))
        matrix = self._matrix(points, factor, stretch)
        self._texture = self._drawn(photo, matrix, factor, max(blur, SOFTEST))
        self.points = points.astype(np.float32).copy()
        self.points[:, :2] = (points[:, :2] @ matrix[:, :2].T + matrix[:, 2]) / FINER
        self.points[:, 2] *= factor
        self._places, middle, _ = normalised(self.points)
        y, x = np.mgrid[: self.size[1], : self.size[0]].astype(np.float32)
        self._grid = np.stack([x, y], axis=-1)
        depth = cv2.GaussianBlur(self._spread(self._places[:468, 2], 0.3), (0, 0), 0.06 * oed)
        self._sheet = np.concatenate([(self._grid - middle[:2]) / self._oed, depth[..., None]], axis=-1)
        self._eyes = np.clip(sum(self._eye(*corners) for corners in EYES), 0, 1).astype(np.float32)
        self._dense: dict[str, F32] = {}
        self.fields: FieldsOf = {}

    def with_fields(self, fields: FieldsOf) -> QuickFace:
        """The same face with its muscles."""
        self.fields, self._dense = fields, {}
        return self

    def render(self, state: State) -> F32:
        """(height, width) gray levels before noise and rounding."""
        shift = rigid_shift(_rigid(state.head), self._sheet) * self._oed
        for name, amplitude in _channels(state).items():
            shift = shift + np.float32(amplitude) * self._field(name)
        gaze = np.array(state.gaze, np.float32) * self._oed / 100
        if gaze.any():
            shift = shift + self._eyes[..., None] * gaze
        there = (self._grid - shift) * FINER + (FINER - 1) / 2
        return np.asarray(
            cv2.remap(
                self._texture,
                there[..., 0],
                there[..., 1],
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )

    def landmarks(self, state: State) -> F32:
        """(478, 3) true points in the picture."""
        points = self.points.copy()
        points[:, :2] += rigid_shift(_rigid(state.head), self._places) * self._oed
        for name, amplitude in _channels(state).items():
            points[:468, :2] += np.float32(amplitude / 100) * self._oed * self.fields[name][:, :2]
        points[468:, :2] += np.array(state.gaze, np.float32) * self._oed / 100
        return points

    def _matrix(self, points: F32, factor: float, stretch: float) -> NDArray[np.float64]:
        """Affine from the photograph to the texture."""
        middle = (points[33, :2] + points[263, :2]) / 2
        across, down = FINER * factor * stretch, FINER * factor / stretch
        left, top = FINER * self.size[0] / 2, FINER * EYE_ROW * self.size[1]
        return np.array([[across, 0, left - across * middle[0]], [0, down, top - down * middle[1]]])

    def _drawn(self, photo: F32, matrix: NDArray[np.float64], factor: float, blur: float) -> F32:
        size = self.size[0] * FINER, self.size[1] * FINER
        small = factor * FINER
        fine = cv2.GaussianBlur(photo, (0, 0), 0.5 / small) if small < 1 else photo
        flags = cv2.INTER_CUBIC
        texture = cv2.warpAffine(fine, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.GaussianBlur(texture, (0, 0), blur * FINER), np.float32)

    def _spread(self, values: NDArray[np.floating], outside: float) -> F32:
        """Values at the mesh points over the picture."""
        side = max(self.size)
        corners = self.points[:468, :2].astype(np.float32)
        whole = paint(corners, np.ascontiguousarray(values, np.float32), TRIS, side, outside)
        return np.asarray(whole[: self.size[1], : self.size[0]])

    def _field(self, name: str) -> F32:
        """(height, width, 2) pixels per percent."""
        if name not in self._dense:
            at = np.asarray(self.fields[name])[:, :2] * (self._oed / 100)
            both = np.stack([self._spread(at[:, axis], 0.0) for axis in (0, 1)], axis=-1)
            self._dense[name] = np.asarray(cv2.GaussianBlur(both, (0, 0), 0.012 * float(self._oed)))
        return self._dense[name]

    def _eye(self, outer: int, inner: int) -> F32:
        """1 on an eyeball, fading to 0 around it."""
        middle = (self.points[outer, :2] + self.points[inner, :2]) / 2
        width = float(np.linalg.norm(self.points[outer, :2] - self.points[inner, :2]))
        away = (self._grid - middle) / np.array([0.28 * width, 0.2 * width], np.float32)
        return np.asarray(np.exp(-(away**2).sum(axis=-1)), np.float32)


def mirrored(photo: F32, points: F32) -> tuple[F32, F32]:
    """The picture and its points as in a mirror: another face, with the points' names kept right."""
    other = points[PARTNERS].copy()
    other[:, 0] = photo.shape[1] - 1 - other[:, 0]
    return np.ascontiguousarray(photo[:, ::-1]), other


def _partners() -> NDArray[np.intp]:
    """(478,) the point on the other side of the face."""
    flipped = CANONICAL * np.array([-1, 1, 1], np.float32)
    mesh = np.array([int(((CANONICAL - point) ** 2).sum(axis=1).argmin()) for point in flipped], np.intp)
    iris = [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]  # centre, then right, top, left, bottom
    return np.concatenate([mesh, np.array(iris, np.intp)])


PARTNERS = _partners()


def _rigid(head: Head) -> F32:
    """As `rigid_shift` takes it: shifts in OED, relative size, radians."""
    turns = np.deg2rad([-head.pitch, -head.yaw, head.roll])
    return np.array([head.x / 100, head.y / 100, -0.3 * head.z / 100, *turns], np.float32)


def _channels(state: State) -> dict[str, float]:
    """Channels of the units and of a blink, percent OED."""
    blink = dict.fromkeys(("45L", "45R"), SHUT * state.closure) if state.closure else {}
    return {**state.units, **{name: state.units.get(name, 0.0) + a for name, a in blink.items()}}
