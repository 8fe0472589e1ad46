"""Pairs of real movement: photographs of one person, neutral and smiling, through the same camera.

Generated movement is written or sculpted by a careful hand; a real smile carries the cheeks, lids and nose
along as this person's face does. Two photographs hold one, far larger than a micro-expression; the motion
between them may be made smaller afterwards (`make_samples.py`), its pattern stays real.

What the photographs say of units is used, and no more: the lip corners went up (AU12) and how far, the
lips parted (25) or did not, and what a smile does not do. Other units have no label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from ...engine.landmarks import N_MESH
from ...engine.records import Picture
from ...engine.registration import CROP, LEFT_EYE, RIGHT_EYE, Affine, apply, crop_matrix, to_crop
from .people import PHOTO_ENDINGS, face_points, read_photo
from .samples import AUS, F32, Gray, Pair, PairConfig, Rng, detected, shots

STEADY = (33, 133, 362, 263, 168, 6, 197, 195)
"""Corners of the eyes and bridge of the nose: what a smile leaves in its place."""
CORNERS = (61, 291)
"""Lip corners."""
UPPER_LIP, LOWER_LIP = 13, 14
"""Inner edges of the lips, in the middle."""
ABSENT = (4, 15, 17, 20, 23, 24)
"""Units that a smile asked for does not hold."""
PARTED, CLOSED = 2.0, 0.7
"""Percent OED that the lips part: from the one AU25, up to the other none."""
CLEAR, ABSURD = 1.5, 25.0
"""Percent OED of the lip corners: from the one a clear smile, from the other a face found wrongly."""


TILT = 2.5
"""Degrees, standard deviation, as in the generated pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """Two photographs of one person and their 478 points each, in pixels of the photograph."""

    name: str
    neutral: Gray
    smiling: Gray
    before: F32
    after: F32

    @property
    def moved(self) -> NDArray[np.float64]:
        """(478, 2) percent OED that each point moved against the eyes and nose."""
        aligned = apply(alignment(self.after, self.before), self.after[:, :2])
        return np.asarray(100 / _distance(self.before) * (aligned - self.before[:, :2]), np.float64)

    @property
    def rise(self) -> float:
        """Percent OED that the lip corners moved, their mean: a head that turned a little between the
        photographs moves one corner more, and who was asked to smile smiled with both.
        """
        return float(np.linalg.norm(self.moved[list(CORNERS)], axis=1).mean())


def posed_smile(neutral: Path, smiling: Path) -> Posed:
    """The two photographs of a person; raises MicroauError where one cannot be read or shows no face."""
    first, second = read_photo(neutral), read_photo(smiling)
    before, after = face_points(first, str(neutral)), face_points(second, str(smiling))
    one, other = (Picture.from_rgb(photo).luma for photo in (first, second))
    return Posed(neutral.stem, one, other, before, after)


def smile_of(neutral: Path, folder: Path) -> Path | None:
    """The photograph in `folder` whose name begins as the neutral one's does, up to the underscore.

    >>> smile_of(Path("neutral/001_03.jpg"), Path("no such folder"))
    """
    who = neutral.stem.partition("_")[0]
    found = (f for f in folder.glob(f"{who}_*") if f.suffix.lower() in PHOTO_ENDINGS)
    return min(found, default=None)


def posed_pairs(rng: Rng, person: Posed, n: int, config: PairConfig) -> Iterator[Pair]:
    """`n` pairs of one person: size, head, camera and landmark errors differ; `config` says how hard.

    Raises MicroauError where the two cannot be one face.
    """
    if person.rise > ABSURD:
        raise MicroauError(f"{person.name}: lip corners {person.rise:.0f} % apart are not of one person.")
    for _ in range(n):
        yield _pair(rng, person, config)


def _pair(rng: Rng, person: Posed, config: PairConfig) -> Pair:
    oed = config.sizes[int(rng.integers(len(config.sizes)))]
    first = _placed(rng, person.before, oed, TILT)
    same_place = _joined(first, alignment(person.after, person.before))
    second = _joined(_nudge(rng, oed, config.residual), same_place)
    taken = [_seen(person.neutral, first, oed), _seen(person.smiling, second, oed)]
    pictures, camera = shots(rng, taken, config)
    points = person.before * np.float32(oed / _distance(person.before))
    points[:, :2] = apply(first, person.before[:, :2])
    points = detected(rng, points, oed)
    crop = crop_matrix(points)
    onset, apex = (Picture(s, full_range=True).warp_luma(crop, (CROP, CROP)) for s in pictures)
    shifts = person.moved[:N_MESH]
    return Pair(
        onset, apex, to_crop(points, crop), amplitudes(person), shifts.astype(np.float32),
        person.name, "smile", camera | {"oed": oed},
    )  # fmt: skip


def amplitudes(person: Posed) -> F32:
    """(len(AUS), 2) percent OED of left and right; NaN where the photographs do not say."""
    table = np.full((len(AUS), 2), np.nan, np.float32)
    table[[AUS.index(au) for au in ABSENT]] = 0.0
    if person.rise >= CLEAR:
        table[AUS.index(12)] = person.rise
    gap = _gap(person.after) - _gap(person.before)
    if gap >= PARTED or gap <= CLOSED:
        table[AUS.index(25)] = max(gap, 0.0) if gap >= PARTED else 0.0
    return table


def alignment(points: NDArray[np.floating], target: NDArray[np.floating]) -> Affine:
    """Similarity (2, 3) that brings the steady points of one photograph onto those of another."""
    source, goal = (np.asarray(p[list(STEADY), :2], np.float64) for p in (points, target))
    matrix, _ = cv2.estimateAffinePartial2D(source, goal, method=cv2.LMEDS)
    return np.asarray(matrix, np.float64)


def _placed(rng: Rng, points: F32, oed: float, tilt: float) -> Affine:
    """From the photograph to a canvas with the face in its middle, the head a little tilted."""
    middle = (points[RIGHT_EYE, :2] + points[LEFT_EYE, :2]) / 2
    turn, scale = float(rng.normal(0, tilt)), oed / _distance(points)
    matrix = np.asarray(
        cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), turn, scale), np.float64
    )
    matrix[:, 2] += np.array([1.15, 0.8]) * oed - middle
    return matrix


def _nudge(rng: Rng, oed: float, most: float) -> Affine:
    """A head that has moved by up to `most` percent OED between the photographs, on the canvas."""
    travel, angle = most * float(rng.random()) ** 2, float(rng.uniform(0, 2 * np.pi))
    middle = (1.15 * oed, 0.8 * oed)
    turn, scale = float(rng.normal(0, 0.12)) * travel, 1 + float(rng.normal(0, 0.002)) * travel
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, turn, scale), np.float64)
    matrix[:, 2] += travel * oed / 100 * np.array([np.cos(angle), np.sin(angle)])
    return matrix


def _joined(outer: Affine, inner: Affine) -> Affine:
    """First the inner, then the outer affine (2, 3)."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def _seen(photo: Gray, matrix: Affine, oed: float) -> F32:
    """The photograph on the canvas, gray (H, W): made small by areas first, as pixels of a camera are."""
    scale = min(float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))), 1.0)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    fx, fy = small.shape[1] / photo.shape[1], small.shape[0] / photo.shape[0]
    to_small = np.array([[fx, 0, (fx - 1) / 2], [0, fy, (fy - 1) / 2], [0, 0, 1]])
    whole = matrix @ np.linalg.inv(to_small)
    size = (int(1.15 * oed) * 2, int(1.15 * oed) * 2)
    seen = cv2.warpAffine(small, whole, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


def _distance(points: NDArray[np.floating]) -> float:
    return float(np.linalg.norm(points[RIGHT_EYE, :2] - points[LEFT_EYE, :2]))


def _gap(points: NDArray[np.floating]) -> float:
    """Between the lips, percent OED."""
    return float(100 * np.linalg.norm(points[LOWER_LIP, :2] - points[UPPER_LIP, :2]) / _distance(points))
