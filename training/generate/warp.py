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

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.landmarks import LEFT_EYE, LEFT_IRIS, LIPS_INNER, N_MESH, RIGHT_EYE, RIGHT_IRIS
from ...engine.registration import Affine, apply, invert
from . import raster
from .fields import Fields, FieldsOf, Layered, Style, lid_gap
from .mesh import face_frame, mirror, refine, sheet, skirt_points, with_skirt
from .openings import PATCH_TRIANGLES, RIM, Ground, Patch, eye_patches, mouth_patch, warped
from .state import REST, Head, State
from .view import CAMERA, NECK, rotation

F32 = NDArray[np.float32]
Floats = NDArray[np.float64]

DENSITY = 2.0
"""Texture pixels per canvas pixel, where the photograph has them."""
OPTICS = 0.45
"""Gaussian blur of lens and pixel, standard deviation in canvas pixels (fill factor near 1)."""
AMBIENT = 0.45
"""Share of the light that comes from everywhere."""
FADE = (0.55, 0.15, 0.0, 0.0)
"""Share of the face oval's expression that the skirt rings take part in (neck and hair)."""


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
        ground = Ground(self.texture, self.points, self.oed)
        eyes = ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS))
        self.patches = [patch for lids, iris in eyes for patch in eye_patches(ground, lids, iris)]
        self.patches.append(mouth_patch(ground))

    def with_style(self, style: Style) -> PhotoFace:
        """The same face, moving in another person's way."""
        other = copy.copy(self)
        other.fields = self._fields_of(style)
        return other

    def moved_by(self, fields_of: Callable[[Style], FieldsOf], style: Style) -> PhotoFace:
        """The same photograph, moved by other fields: those of the 3D face, say."""
        blink = {name: self.fields[name] for name in self.openings}  # which must shut these eyes
        other = copy.copy(self)
        other._fields_of = lambda way: Layered(blink, fields_of(way))
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
            self._still = key, warped(self.texture, matrix, size)
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
