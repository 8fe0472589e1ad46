"""What is seen through the openings of a photograph's skin: eyeballs, irises, the inside of the mouth.

A photograph shows only what the lids and lips leave free. The rest, which a movement may uncover, is
made from it: the white of the eye without the iris, the iris with its hidden parts, a dark mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.landmarks import LIPS_INNER
from ...engine.registration import Affine
from . import raster

F32 = NDArray[np.float32]
Floats = NDArray[np.float64]

RIM = 1.0
"""Width of the soft edge of lids and lips, percent OED."""
GRID = 7
"""Corners of a patch along each side."""


def _grid_triangles() -> raster.I32:
    grid = np.arange(GRID * GRID).reshape(GRID, GRID)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    quads = [np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))]
    return np.concatenate(quads).astype(np.int32)


PATCH_TRIANGLES = _grid_triangles()
"""Of every patch's grid."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A flat thing behind the skin: eyeball, iris or the inside of the mouth."""

    texture: F32
    """(h, w, C)"""
    corners: F32
    """(49, 3) places of a grid over it in texture pixels of the photograph."""
    looks: F32
    """(49, 4) as in `raster.cover`."""
    gaze: bool
    """Moves with the gaze."""


def patch_of(
    texture: F32, corner: tuple[int, int], z: float, opacity: F32 | None = None, *, gaze: bool = False
) -> Patch:
    """A patch whose top-left pixel lies at `corner` of the photograph's texture."""
    h, w = texture.shape[:2]
    uv = np.array([[x, y] for y in np.linspace(0, h - 1, GRID) for x in np.linspace(0, w - 1, GRID)])
    looks = np.column_stack([uv, np.ones(len(uv)), np.ones(len(uv))]).astype(np.float32)
    if opacity is not None:
        rows, columns = np.rint(uv[:, ::-1].T).astype(int)
        looks[:, 2] = opacity[rows, columns]
    corners = np.column_stack([uv + corner, np.full(len(uv), z)]).astype(np.float32)
    return Patch(np.ascontiguousarray(texture), corners, looks, gaze)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The photograph that the patches are cut from."""

    texture: F32
    """(H, W, C)"""
    points: Floats
    """(478, 3) face points in its pixels."""
    oed: float
    """Eye distance in its pixels."""


def warped(texture: F32, matrix: Affine, size: tuple[int, int]) -> F32:
    """(height, width, C) of the texture (H, W, C); `matrix` from the result's pixels, borders repeated."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(texture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    image = np.asarray(image, np.float32)
    return np.ascontiguousarray(image if image.ndim == 3 else image[:, :, None])


def _region(ground: Ground, outline: Floats, margin: float) -> tuple[F32, tuple[int, int], Floats]:
    """Cut-out of the texture around an outline: pixels, corner, outline in its pixels."""
    low = np.floor(outline.min(axis=0) - margin).astype(int)
    high = np.ceil(outline.max(axis=0) + margin).astype(int) + 1
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    shift = np.array([[1.0, 0, low[0]], [0, 1.0, low[1]]])
    return warped(ground.texture, shift, size), (int(low[0]), int(low[1])), outline - low


def _inside(shape: tuple[int, int], outline: Floats, shrink: float) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 1, shift=4)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5) > shrink
    return np.asarray(inside, bool)


def _inpainted(pixels: F32, known: NDArray[np.bool_]) -> F32:
    """Unknown pixels filled from the known ones; all known colours where nothing is near."""
    if not known.any():
        return np.full_like(pixels, pixels.mean())
    bytes_ = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    filled = cv2.inpaint(bytes_ if pixels.shape[2] == 3 else bytes_[:, :, 0],
                         (~known).astype(np.uint8), 3, cv2.INPAINT_TELEA)  # fmt: skip
    filled = np.asarray(filled, np.float32).reshape(pixels.shape)
    return np.where(known[:, :, None], pixels, filled)


def eye_patches(ground: Ground, lids: NDArray[np.intp], iris: NDArray[np.intp]) -> list[Patch]:
    """The white of the eye with the iris taken out, and the iris as a disc of its own."""
    percent = ground.oed / 100
    pixels, corner, outline = _region(ground, ground.points[lids, :2], 7 * percent)
    shape = (pixels.shape[0], pixels.shape[1])
    centre = ground.points[iris[0], :2] - corner
    radius = float(np.linalg.norm(ground.points[iris[1:], :2] - ground.points[iris[0], :2], axis=1).mean())
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(columns - centre[0], rows - centre[1])
    visible = _inside(shape, outline, RIM * percent)
    white = _inpainted(pixels, visible & (distance > 1.12 * radius))
    white = _shaded(white, rows, outline, percent)
    disc = _round(pixels, distance, visible, radius)
    opacity = np.clip((1.1 * radius - distance) / (0.14 * radius), 0, 1).astype(np.float32)
    z = float(ground.points[lids, 2].mean())
    return [patch_of(white, corner, z), _cut(disc, opacity, corner, centre, 1.2 * radius, z)]


def _shaded(white: F32, rows: NDArray[np.int_], outline: Floats, percent: float) -> F32:
    """The eyeball darkens above and below the opening, under the lids."""
    top, bottom = outline[:, 1].min(), outline[:, 1].max()
    hidden = np.maximum(np.maximum(top - rows, rows - bottom), 0) / (6 * percent)
    return np.asarray(white * (1 - 0.45 * np.clip(hidden, 0, 1))[:, :, None], np.float32)


def _round(pixels: F32, distance: Floats, visible: NDArray[np.bool_], radius: float) -> F32:
    """The iris with what the lids hide filled in by the mean of its ring."""
    ring = np.minimum((distance / radius * 8).astype(int), 12)
    disc = pixels.copy()
    colour = pixels[visible].mean(axis=0) if visible.any() else pixels.mean(axis=(0, 1))
    for k in range(13):
        of_ring = ring == k
        seen = of_ring & visible
        colour = pixels[seen].mean(axis=0) if seen.any() else colour
        disc[of_ring & ~visible] = colour
    return disc


def _cut(disc: F32, opacity: F32, corner: tuple[int, int], centre: Floats, reach: float, z: float) -> Patch:
    low = np.maximum(np.floor(centre - reach).astype(int), 0)
    high = np.ceil(centre + reach).astype(int) + 1
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    place = (corner[0] + int(low[0]), corner[1] + int(low[1]))
    return patch_of(disc[window], place, z, opacity[window], gaze=True)


def mouth_patch(ground: Ground) -> Patch:
    """The inside of the mouth: what the photograph shows of it, else a dark hollow with upper teeth."""
    percent = ground.oed / 100
    outline = ground.points[LIPS_INNER, :2]
    pixels, corner, local = _region(ground, outline, 14 * percent)
    z = float(ground.points[LIPS_INNER, 2].mean()) + 4 * percent
    gap = float(np.linalg.norm(ground.points[13, :2] - ground.points[14, :2]))
    shape = (pixels.shape[0], pixels.shape[1])
    if gap > 3 * percent:
        return patch_of(_inpainted(pixels, _inside(shape, local, RIM * percent)), corner, z)
    return patch_of(_hollow(pixels, local, percent), corner, z)


def _hollow(pixels: F32, outline: Floats, percent: float) -> F32:
    """Darkness, and above the line between the lips the edge of the upper teeth, as bright as the lips."""
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    middle = outline.mean(axis=0)
    below = (rows - middle[1]) / percent
    aside = (columns - middle[0]) / percent
    lips = pixels[_inside(pixels.shape[:2], outline, -1)].mean() if len(pixels) else 100.0
    teeth = np.clip((2.0 - below) / 1.2, 0, 1) * np.clip((20 - np.abs(aside)) / 8, 0, 1)
    teeth *= 1 - 0.25 * np.exp(-((np.mod(aside + 3.4, 6.8) - 3.4) ** 2) / 0.5)
    dark = np.array([0.30, 0.16, 0.15]) if pixels.shape[2] == 3 else np.array([0.2])
    pale = np.array([1.15, 1.05, 0.92]) if pixels.shape[2] == 3 else np.array([1.06])
    mix = teeth[:, :, None]
    return np.asarray(lips * (dark * (1 - mix) + pale * mix), np.float32)
