"""A photograph that moves: the skin follows the displacement fields, the eyes and teeth stay behind it.

Painted back to front: the photograph itself, both eyeballs with their irises, the inside of the
mouth, and the sheet of skin (`mesh.py`), whose lids and lips are openings. Every picture is drawn
afresh from the one photograph, so that errors do not add up. The photograph is first brought to about
twice the canvas' resolution and blurred as a lens and a pixel do, so that a movement of a hundredth
of a pixel changes the picture as it would change a camera's.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.landmarks import LEFT_EYE, LEFT_IRIS, LIPS_INNER, N_MESH, RIGHT_EYE, RIGHT_IRIS
from ...engine.registration import Affine, apply, invert
from . import raster
from .fields import Fields, FieldsOf, Style, lid_gap
from .mesh import face_frame, mirror, refine, sheet, skirt_points, with_skirt
from .state import REST, Head, State

F32 = NDArray[np.float32]
Floats = NDArray[np.float64]

DENSITY = 2.0
"""Texture pixels per canvas pixel, where the photograph has them."""
OPTICS = 0.45
"""Gaussian blur of lens and pixel, standard deviation in canvas pixels (fill factor near 1)."""
CAMERA = 7.0
"""Distance of the camera in eye distances (60 cm for an adult)."""
NECK = 0.55
"""The head turns about a point this many eye distances behind the eyes, and below them."""
AMBIENT = 0.45
"""Share of the light that comes from everywhere."""
RIM = 1.0
"""Width of the soft edge of lids and lips, percent OED."""
FADE = (0.55, 0.15, 0.0, 0.0)
"""Share of the face oval's expression that the skirt rings take part in (neck and hair)."""


GRID = 7
"""Corners of a patch along each side."""


def _grid_triangles() -> raster.I32:
    grid = np.arange(GRID * GRID).reshape(GRID, GRID)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    quads = [np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))]
    return np.concatenate(quads).astype(np.int32)


PATCH_TRIANGLES = _grid_triangles()


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


def _patch(
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


class PhotoFace:
    """One person's photograph with its face points, ready to be moved.

    photo   (H, W, 3) RGB uint8, or (H, W) gray
    points  (478, 3) as `engine.faces` gives them, in pixels of the photograph
    oed     eye distance in pixels on the canvas that will be drawn
    """

    def __init__(
        self,
        photo: NDArray[np.uint8],
        points: NDArray[np.floating],
        oed: float,
        *,
        style: Style | None = None,
        light: tuple[float, float, float] = (0.15, -0.5, -0.85),
    ) -> None:
        self.drawn_oed = oed
        _, _, native = face_frame(points)
        self.density = min(DENSITY, max(native / oed, 1.0))
        self.texture, factor = _texture(photo, self.density * oed / native, self.density)
        self.points = np.asarray(points, np.float64) * factor
        self.points[:, :2] += (factor - 1) / 2
        self.origin, self.axes, self.oed = face_frame(self.points)
        own = (self.points[:N_MESH] - self.origin) @ self.axes.T * (100 / self.oed)
        self._fields_of: Callable[[Style], FieldsOf] = lambda way: Fields(way, own)
        self.fields: FieldsOf = self._fields_of(style or Style())
        flipped = own[mirror()] * (-1, 1, 1)
        self.openings = {"45L": float(lid_gap(own).max()), "45R": float(lid_gap(flipped).max())}
        self.rest = skirt_points(self.points[:N_MESH])
        self._rest_fine = _fine(self.rest, self.oed)
        self._light = np.asarray(light, np.float32) / np.float32(np.linalg.norm(light))
        self._rest_light = raster.lit(self._rest_fine, sheet().triangles, self._light, AMBIENT)
        self._still: tuple[tuple[bytes, tuple[int, int]], F32] | None = None
        self.patches = [*_eye(self, RIGHT_EYE, RIGHT_IRIS), *_eye(self, LEFT_EYE, LEFT_IRIS)]
        self.patches.append(_mouth(self))

    def with_style(self, style: Style) -> PhotoFace:
        """The same face, moving in another person's way."""
        other = copy.copy(self)
        other.fields = self._fields_of(style)
        return other

    def moved_by(self, fields_of: Callable[[Style], FieldsOf], style: Style) -> PhotoFace:
        """The same photograph, moved by other fields: those of the 3D face, say."""
        blink = {name: self.fields[name] for name in self.openings}  # which must shut these eyes
        other = copy.copy(self)
        other._fields_of = lambda way: {**fields_of(way), **blink}
        return other.with_style(style)

    def control(self, state: State) -> Floats:
        """(612, 3) control points after the expression, before the head's motion, texture pixels."""
        moved = np.zeros((N_MESH, 3))
        for name, amplitude in state.units.items():
            moved += amplitude * self.fields[name]
        if state.closure:
            for name, opening in self.openings.items():
                moved += state.closure * opening * self.fields[name]
        moved = _contact(self.points[:N_MESH], moved @ self.axes * (self.oed / 100), self.axes[1])
        return self.rest + with_skirt(moved, FADE)

    def landmarks(self, state: State, matrix: Affine) -> F32:
        """(478, 3) true places of the face points on the canvas; `matrix` goes from canvas to texture."""
        points = self.points.copy()
        points[:N_MESH] = self.control(state)[:N_MESH]
        points[N_MESH:] += _gaze_shift(self, state)
        points = self._turned(points, state.head, np.ones(len(points)))
        back = invert(matrix)
        canvas = np.empty(points.shape, np.float32)
        canvas[:, :2] = apply(back, points[:, :2])
        canvas[:, 2] = points[:, 2] * math.sqrt(abs(np.linalg.det(back[:, :2])))
        return canvas

    def frame(self, size: tuple[int, int]) -> Affine:
        """Affine from canvas to texture pixels: the face in the middle if the photograph reaches so far."""
        scale = self.oed / self.drawn_oed
        middle = self.origin[:2] + self.axes[1, :2] * 0.35 * self.oed
        shift = middle - scale * (np.array(size) - 1) / 2
        room = np.array(self.texture.shape[1::-1]) - 1 - scale * (np.array(size) - 1)
        shift = np.where(room > 0, np.clip(shift, 0, np.maximum(room, 0)), room / 2)
        return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])

    def render(self, state: State, matrix: Affine, size: tuple[int, int]) -> F32:
        """(height, width, C) picture, 0..255 before rounding.

        matrix  (2, 3) affine from canvas pixels to texture pixels
        size    (width, height) of the canvas
        """
        back = invert(matrix)
        skin = raster.blank(size[1], size[0])
        fine = _fine(self.control(state), self.oed)
        corners = self._on_canvas(fine, state.head, back, sheet().head)
        raster.cover(skin, corners, self._looks(fine), sheet().triangles)
        image = self._background(skin, matrix, size)
        for patch in self.patches:
            self._paint_patch(image, patch, state, back)
        raster.fill(image, skin, self.texture)
        return image

    def _looks(self, fine: F32) -> F32:
        """(V, 4) texture place, opacity and brightness of the skin; folds and bulges catch the light."""
        looks = np.empty((len(fine), 4), np.float32)
        looks[:, :2] = self._rest_fine[:, :2]
        looks[:, 2] = sheet().alpha
        bright = raster.lit(fine, sheet().triangles, self._light, AMBIENT)
        looks[:, 3] = np.clip(bright / self._rest_light, 0.88, 1.12)
        return looks

    def _background(self, skin: F32, matrix: Affine, size: tuple[int, int]) -> F32:
        """The photograph at rest, where the skin leaves anything of it to be seen."""
        if skin[:, :, raster.DEPTH].max() < raster.EMPTY:  # only eyes and mouth are open, and painted
            return np.zeros((size[1], size[0], self.texture.shape[2]), np.float32)
        key = (matrix.tobytes(), size)
        if self._still is None or self._still[0] != key:
            self._still = key, _warped(self.texture, matrix, size)
        return self._still[1].copy()

    def _on_canvas(
        self, points: NDArray[np.floating], head: Head, back: Affine, share: NDArray[np.floating]
    ) -> F32:
        turned = self._turned(points, head, share)
        turned[:, :2] = apply(back, turned[:, :2])
        return turned.astype(np.float32)

    def _paint_patch(self, image: F32, patch: Patch, state: State, back: Affine) -> None:
        corners = patch.corners + _gaze_shift(self, state) if patch.gaze else patch.corners
        placed = self._on_canvas(corners, state.head, back, np.ones(len(corners)))
        low = np.maximum(np.floor(placed[:, :2].min(axis=0)).astype(int), 0)
        high = np.ceil(placed[:, :2].max(axis=0)).astype(int) + 1
        window = image[low[1] : max(high[1], low[1]), low[0] : max(high[0], low[0])]
        placed[:, :2] -= low
        buffer = raster.blank(window.shape[0], window.shape[1])
        raster.cover(buffer, placed, patch.looks, PATCH_TRIANGLES)
        raster.fill(window, buffer, patch.texture)

    def _turned(self, points: NDArray[np.floating], head: Head, share: NDArray[np.floating]) -> Floats:
        """Points after the head's motion, of which each takes its share."""
        if head == REST.head:
            return np.asarray(points, np.float64).copy()
        pivot = self.origin + self.oed * NECK * (self.axes[1] + self.axes[2])
        centred = points - pivot
        distance = CAMERA * self.oed
        moved = centred @ rotation(head).T + np.array([head.x, head.y, head.z]) * self.oed / 100
        depth = distance + moved[:, 2:] + NECK * self.oed
        rest = distance + centred[:, 2:] + NECK * self.oed
        # The photograph already holds the perspective of the rest pose: only the change is applied.
        shift = moved - centred
        shift[:, :2] += moved[:, :2] * (rest / depth - 1)
        return np.asarray(points + shift * share[:, None])


def rotation(head: Head) -> Floats:
    """(3, 3) for points (x right, y down, z away): yaw about y, pitch about x, roll about z."""
    yaw, pitch, roll = np.radians([head.yaw, head.pitch, head.roll])
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _fine(control: Floats, oed: float) -> F32:
    """(V, 3) the fine sheet, with its rims moved into the openings."""
    surface = sheet()
    fine = refine(control)
    for ring, inner in surface.rims:
        middle = fine[ring].mean(axis=0)
        before, after = np.roll(fine[ring], 1, axis=0), np.roll(fine[ring], -1, axis=0)
        along = (after - before)[:, :2]
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-6
        # The chain's sense of rotation is unknown: the inward side is where most of it looks inwards.
        if ((middle[:2] - fine[ring][:, :2]) * across).sum() < 0:
            across = -across
        fine[inner] = fine[ring]
        fine[inner, :2] += across * (RIM * oed / 100)
    return np.asarray(fine, np.float32)


def _contact(rest: Floats, moved: Floats, down: Floats) -> Floats:
    """Lips and lids meet, they do not pass through each other."""
    for hole in (RIGHT_EYE, LEFT_EYE, LIPS_INNER):
        upper, lower = _pairs(hole)
        before = np.minimum((rest[lower] - rest[upper]) @ down, 0)
        gap = (rest[lower] + moved[lower] - rest[upper] - moved[upper]) @ down - before
        push = np.maximum(-gap, 0)[:, None] * down / 2
        moved[upper] -= push
        moved[lower] += push
    return moved


def _pairs(hole: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Points of the upper and the lower edge that meet when the opening shuts."""
    half = len(hole) // 2
    one, other = hole[1:half], hole[:half:-1]
    return (other, one) if hole[0] in (33, 263) else (one, other)


def _gaze_shift(face: PhotoFace, state: State) -> Floats:
    return np.asarray(np.array([*state.gaze, 0.0]) @ face.axes * (face.oed / 100))


def _texture(photo: NDArray[np.uint8], factor: float, density: float) -> tuple[F32, float]:
    """The photograph resized by about `factor` and blurred as the canvas' camera would."""
    size = (max(round(photo.shape[1] * factor), 1), max(round(photo.shape[0] * factor), 1))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    sized = np.asarray(cv2.resize(photo, size, interpolation=method), np.float32)
    sized = np.asarray(cv2.GaussianBlur(sized, (0, 0), OPTICS * density), np.float32)
    if sized.ndim == 2:
        sized = sized[:, :, None]
    return np.ascontiguousarray(sized), size[0] / photo.shape[1]


def _warped(texture: F32, matrix: Affine, size: tuple[int, int]) -> F32:
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(texture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    image = np.asarray(image, np.float32)
    return np.ascontiguousarray(image if image.ndim == 3 else image[:, :, None])


def _region(face: PhotoFace, outline: Floats, margin: float) -> tuple[F32, tuple[int, int], Floats]:
    """Cut-out of the texture around an outline: pixels, corner, outline in its pixels."""
    low = np.floor(outline.min(axis=0) - margin).astype(int)
    high = np.ceil(outline.max(axis=0) + margin).astype(int) + 1
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    shift = np.array([[1.0, 0, low[0]], [0, 1.0, low[1]]])
    return _warped(face.texture, shift, size), (int(low[0]), int(low[1])), outline - low


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


def _eye(face: PhotoFace, lids: NDArray[np.intp], iris: NDArray[np.intp]) -> list[Patch]:
    """The white of the eye with the iris taken out, and the iris as a disc of its own."""
    percent = face.oed / 100
    pixels, corner, outline = _region(face, face.points[lids, :2], 7 * percent)
    shape = (pixels.shape[0], pixels.shape[1])
    centre = face.points[iris[0], :2] - corner
    radius = float(np.linalg.norm(face.points[iris[1:], :2] - face.points[iris[0], :2], axis=1).mean())
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(columns - centre[0], rows - centre[1])
    visible = _inside(shape, outline, RIM * percent)
    white = _inpainted(pixels, visible & (distance > 1.12 * radius))
    white = _shaded(white, rows, outline, percent)
    disc = _round(pixels, distance, visible, radius)
    opacity = np.clip((1.1 * radius - distance) / (0.14 * radius), 0, 1).astype(np.float32)
    z = float(face.points[lids, 2].mean())
    return [_patch(white, corner, z), _cut(disc, opacity, corner, centre, 1.2 * radius, z)]


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
    return _patch(disc[window], place, z, opacity[window], gaze=True)


def _mouth(face: PhotoFace) -> Patch:
    """Inside of the mouth: what the photograph shows of it, else a dark hollow with upper teeth."""
    percent = face.oed / 100
    outline = face.points[LIPS_INNER, :2]
    pixels, corner, local = _region(face, outline, 14 * percent)
    z = float(face.points[LIPS_INNER, 2].mean()) + 4 * percent
    gap = float(np.linalg.norm(face.points[13, :2] - face.points[14, :2]))
    shape = (pixels.shape[0], pixels.shape[1])
    if gap > 3 * percent:
        return _patch(_inpainted(pixels, _inside(shape, local, RIM * percent)), corner, z)
    return _patch(_hollow(pixels, local, percent), corner, z)


def _hollow(pixels: F32, outline: Floats, percent: float) -> F32:
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
