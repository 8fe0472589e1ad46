"""Vary a flow sample as persons, cameras and our own measurement vary, and nothing more.

Works on motion in percent of the eye distance, before it becomes the model's image, so that the
image is made by the same code as in the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.landmarks import FACE_OVAL, TRIANGLES
from ..engine.registration import CROP, CROP_OED, EYE_ROW
from ..engine.rigid import paint
from .generate.mesh import canonical

Array = NDArray[np.float32]


LOUD = 1.4
MOST = 14.0
"""Percent OED: a broad laugh at the mouth corners."""


@dataclass(frozen=True, slots=True)
class Variation:
    """How much; each sample draws its own."""

    mirror: float = 0.5
    """Share of samples seen in a mirror."""
    gain: float = 0.35
    """Natural logarithm: amplitudes times e^-gain .. e^gain."""
    loud: float = 0.25
    """Share of samples made up to e^LOUD times as large: the same face at a macro-expression."""
    spread: float = 0.5
    """Share of samples whose movement reaches farther than it was made: how far the skin goes along with
    a muscle differs much between faces, and broad smiles carry the whole cheek."""
    uneven: float = 0.25
    """The same, standard deviation of a smooth field: skin does not move alike everywhere."""
    bend: float = 10.0
    """Degrees, standard deviation of a smooth field by which directions turn."""
    blot: float = 0.3
    """Share of samples with a patch where the flow went wrong (teeth that appear, hair, a highlight)."""
    noise: float = 0.12
    """Percent OED, largest standard deviation of smooth noise (errors of the flow)."""
    residue: float = 0.25
    """Percent OED at the edge of the face, standard deviation of head motion that was not taken out."""
    depth: float = 0.8
    """Percent OED at the tip of the nose, largest standard deviation of what a turn of the head leaves
    where the face is deeper or flatter than the mesh says."""
    backdrop: float = 0.3
    """Share of samples with another motion beyond the face: hair, shoulders, a wall that a moving head
    uncovers."""
    zoom: float = 0.04
    """Registration by trembling landmarks: scale 1 - zoom .. 1 + zoom."""
    turn: float = 2.5
    """The same: degrees, standard deviation."""
    shift: float = 2.0
    """The same: crop pixels, standard deviation."""
    jitter: float = 0.8
    """Crop pixels, standard deviation of each landmark."""


def vary(
    flow: Array,
    points: Array,
    amplitude: Array,
    mirror_of: NDArray[np.intp],
    rng: np.random.Generator,
    how: Variation,
) -> tuple[Array, Array, Array]:
    """One varied sample, each argument's own shape.

    flow       (S, S, 2) percent OED
    points     (K, 2) crop pixels
    amplitude  (N, 2) percent OED of left, right
    mirror_of  (K,) position of the opposite landmark
    """
    if rng.random() < how.mirror:
        flow, points, amplitude = mirrored(flow, points, amplitude, mirror_of)
    gain = _gain(float(np.nanmax(amplitude)), rng, how)
    if rng.random() < how.spread:
        flow = _spread(flow, rng)
    flow = _otherwise(flow * gain, rng, how)
    flow = flow + _noise(flow.shape[0], rng, how) + _residue(flow.shape[0], rng, how)
    flow = flow + _turn_left_over(flow.shape[0], rng, how)
    if rng.random() < how.backdrop:
        flow = _before_backdrop(flow, rng)
    if rng.random() < how.blot:
        flow = flow + _blot(flow.shape[0], rng)
    flow, points = _registered_otherwise(flow, points, rng, how)
    points = points + rng.normal(0, how.jitter, points.shape).astype(np.float32)
    return flow, points, amplitude * gain


def _gain(largest: float, rng: np.random.Generator, how: Variation) -> np.float32:
    """Factor on the movement; loud ones stay below what a face can do."""
    gain = float(np.exp(rng.uniform(-how.gain, how.gain)))
    if rng.random() < how.loud:
        gain *= float(np.exp(rng.uniform(0, LOUD)))
    return np.float32(min(gain, max(MOST / max(largest, 1e-6), 1.0)))


def mirrored(
    flow: Array, points: Array, amplitude: Array, mirror_of: NDArray[np.intp]
) -> tuple[Array, Array, Array]:
    """The sample as in a mirror: left is right."""
    swapped = points[mirror_of] * np.array([-1, 1], np.float32) + np.array([CROP - 1, 0], np.float32)
    return flow[:, ::-1] * np.array([-1, 1], np.float32), swapped, amplitude[:, ::-1]


def _spread(flow: Array, rng: np.random.Generator) -> Array:
    """A share of the movement, smeared out, with its largest displacements as large as before."""
    smeared = cv2.GaussianBlur(flow, (0, 0), float(rng.uniform(1.5, 9.0)))
    before, after = (np.quantile(np.hypot(f[..., 0], f[..., 1]), 0.99) for f in (flow, smeared))
    louder = smeared * np.float32(min(before / max(after, 1e-6), 2.5))
    share = np.float32(rng.uniform(0, 1))
    return np.asarray((1 - share) * flow + share * louder, np.float32)


def _otherwise(flow: Array, rng: np.random.Generator, how: Variation) -> Array:
    """The movement of a face whose skin follows the same muscles a little differently."""
    size = flow.shape[0]
    grain = int(rng.integers(3, 8))
    coarse = rng.normal(0, 1, (grain, grain, 2)) * (how.uneven, np.radians(how.bend))
    field = cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    along, across = np.exp(field[..., 0]) * np.stack([np.cos(field[..., 1]), np.sin(field[..., 1])])
    x, y = flow[..., 0], flow[..., 1]
    return np.stack([along * x - across * y, across * x + along * y], axis=-1)


def moved_to(flow: Array, points: Array, target: Array) -> Array:
    """A flow (S, S, 2) brought from points (478, 2) of one face to those of another, by the best affine."""
    ones = np.ones((len(points), 1), np.float32)
    matrix = np.linalg.lstsq(np.hstack([points, ones]), target, rcond=None)[0].T.astype(np.float64)
    return _warped(flow, matrix)


def _warped(flow: Array, matrix: NDArray[np.float64]) -> Array:
    """A flow after its crop went through the affine (2, 3): places and vectors alike."""
    size, step = flow.shape[0], CROP / flow.shape[0]
    small = matrix.copy()  # the same in pixels of the small picture, whose pixel is CROP / size wide
    offset = np.full(2, (step - 1) / 2)
    small[:, 2] = (matrix[:, :2] @ offset + matrix[:, 2] - offset) / step
    warped = cv2.warpAffine(flow, small, (size, size), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped @ matrix[:, :2].T, np.float32)


def _noise(size: int, rng: np.random.Generator, how: Variation) -> Array:
    """Smooth noise of one of several grains."""
    grain = int(rng.integers(4, 29))
    coarse = rng.normal(0, rng.uniform(0, how.noise), (grain, grain, 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _blot(size: int, rng: np.random.Generator) -> Array:
    """Motion that is not there: a soft patch, up to a few percent OED, anywhere on the face."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    centre, radius = rng.uniform(0.15, 0.85, 2) * size, rng.uniform(0.03, 0.09) * size
    share = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2))
    wrong = rng.normal(0, rng.uniform(0.3, 3.0), 2)
    return np.asarray(share[..., None] * wrong, np.float32)


def _turn_left_over(size: int, rng: np.random.Generator, how: Variation) -> Array:
    """Mostly little: an onset and its apex are close in time."""
    turn = rng.normal(0, how.depth * rng.random() ** 2, 2).astype(np.float32)
    return np.asarray(turn * _relief(size)[..., None], np.float32)


@lru_cache(maxsize=2)
def _relief(size: int) -> Array:
    """(size, size) depth of the average face as a motion: 1 at the tip of the nose. What a shift, growth or
    shear of the picture would explain is gone: the head fit has taken that out.
    """
    corners = _on_crop(canonical(), size)
    depth = -canonical()[:, 2].astype(np.float32)
    edge = float(np.quantile(depth, 0.1))
    relief = paint(corners, depth, TRIANGLES.astype(np.int32), size, edge)
    relief = np.asarray(cv2.GaussianBlur(relief, (0, 0), size / 40), np.float32)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    plane = np.column_stack([np.ones(size * size), x.ravel(), y.ravel()])
    inside = _oval(size, 1.0).ravel() > 0.5
    fit = np.linalg.lstsq(plane[inside], relief.ravel()[inside], rcond=None)[0]
    relief -= (plane @ fit).reshape(size, size).astype(np.float32)
    column, row = np.rint(corners[NOSE_TIP]).astype(int)
    return np.asarray(relief * _oval(size, 1.1) / relief[row, column], np.float32)


@lru_cache(maxsize=16)
def _oval(size: int, scale: float) -> Array:
    """(size, size) 1 within the outline of the average face times `scale`, 0 outside, soft between."""
    outline = _on_crop(canonical()[FACE_OVAL], size)
    middle = outline.mean(axis=0)
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.rint(middle + scale * (outline - middle)).astype(np.int32)], 1)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), size / 50), np.float32)


def _on_crop(points: NDArray[np.floating], size: int) -> Array:
    """Points of the average face (N, 3), percent OED from between the eyes, as crop pixels (N, 2)."""
    crop = points[:, :2] * CROP_OED / 100 + ((CROP - 1) / 2, EYE_ROW)
    step = CROP / size
    return np.asarray((crop - (step - 1) / 2) / step, np.float32)


NOSE_TIP = 1
OUTLINES = (0.95, 1.0, 1.05, 1.1)


def _before_backdrop(flow: Array, rng: np.random.Generator) -> Array:
    """The face's own motion before a world that moves otherwise, up to several percent OED."""
    size = flow.shape[0]
    face = _oval(size, OUTLINES[int(rng.integers(len(OUTLINES)))])[..., None]
    speed = float(np.exp(rng.uniform(np.log(0.3), np.log(8.0))))
    coarse = rng.normal(0, 0.5 * speed, (3, 3, 2)) + rng.normal(0, speed, 2)
    world = cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(face * flow + (1 - face) * world, np.float32)


def _residue(size: int, rng: np.random.Generator, how: Variation) -> Array:
    """Shift, growth and turn of the whole face, small."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    shift_x, shift_y, growth, turn = rng.normal(0, how.residue / 2, 4).astype(np.float32)
    return np.stack([shift_x + growth * x - turn * y, shift_y + growth * y + turn * x], axis=-1)


def _registered_otherwise(
    flow: Array, points: Array, rng: np.random.Generator, how: Variation
) -> tuple[Array, Array]:
    """The same movement in a crop that was cut a little differently: vectors turn and grow with it."""
    middle, scale = ((CROP - 1) / 2, (CROP - 1) / 2), 1 + rng.uniform(-how.zoom, how.zoom)
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, rng.normal(0, how.turn), scale), np.float64)
    matrix[:, 2] += rng.normal(0, how.shift, 2)
    return _warped(flow, matrix), (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
