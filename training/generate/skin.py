"""Skin for the 3D face, painted at random: without texture there is no optical flow.

The model brings no picture of skin, so each identity gets its own: tone, blotches, pores, freckles,
stubble, lips, brows of single hairs, lash lines, iris. Everything lies in one atlas: the face's tile,
the tile of the head, and flat fields for eyes, teeth and gums.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from . import raster
from .ict import DRAWN, GUMS, HEAD, LEFT_BALL, RIGHT_BALL, SKIN, SOCKETS, TEETH, IctModel

F32 = NDArray[np.float32]
Rng = np.random.Generator

TILE, SIDE = 1024, 256
"""Pixels of the face's tile and of the others."""
PLACES = {
    SKIN: (0, 0, TILE),
    HEAD: (TILE, 0, SIDE),
    LEFT_BALL: (TILE, SIDE, SIDE),
    RIGHT_BALL: (TILE, SIDE, SIDE),
    TEETH: (TILE, 2 * SIDE, SIDE),
    GUMS: (TILE, 3 * SIDE, SIDE),
}
"""Left, top and side of each material's tile in the atlas (TILE, TILE + SIDE)."""
IRIS = 0.235
"""Radius of the iris as a share of the eyeball's tile (12 mm of a ball of 25 mm)."""


def atlas_places(model: IctModel) -> F32:
    """(V, 2) texture pixels of each drawn vertex in the atlas."""
    uv = np.empty((len(model.point), 2), np.float32)
    for index, name in enumerate(DRAWN):
        of = model.material == index
        left, top, side = PLACES[name]
        inside = _ball(model, of) if name in (LEFT_BALL, RIGHT_BALL) else model.uv[of]
        uv[of] = np.array([left, top]) + 1 + inside * (side - 3)
    socket = (model.point >= SOCKETS.start) & (model.point < SOCKETS.stop)
    left, top, side = PLACES[GUMS]
    uv[socket] = (left + side / 2, top + side * 0.9)  # the dark end of the gums' tile
    return uv


def _ball(model: IctModel, of: NDArray[np.bool_]) -> F32:
    """Eyeballs are painted by direction, as seen from the front."""
    points = model.neutral[model.point[of]]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = (points.max(axis=0) - points.min(axis=0))[:2].max() / 2
    flat = (points - middle)[:, :2] / radius * (0.5, -0.5)
    behind = (points - middle)[:, 2] < 0
    flat[behind] *= 0.98 / np.maximum(2 * np.linalg.norm(flat[behind], axis=1, keepdims=True), 1e-3)
    return np.asarray(0.5 + flat, np.float32)


class Painter:
    """Paints atlases for one model; knows where on the tile the features lie."""

    def __init__(self, model: IctModel) -> None:
        self.places = atlas_places(model)
        on_face = model.material == DRAWN.index(SKIN)
        where = {int(p): k for k, p in enumerate(model.point) if on_face[k]}
        self.marks = np.array([self.places[where[int(p)]] for p in model.lm68], np.float32)
        self.oed = float(np.linalg.norm(self.marks[36] - self.marks[45]))
        self.height = self._positions(model)

    def _positions(self, model: IctModel) -> F32:
        """(TILE, TILE + SIDE, 2) height above the eyes and depth of each texel in OED; -9 where no skin."""
        eyes = model.neutral[model.lm68[[36, 45]]]
        scale = float(np.linalg.norm(eyes[0] - eyes[1]))
        relative = (model.neutral[model.point] - eyes.mean(axis=0)) / scale
        buffer = raster.blank(TILE, TILE + SIDE)
        corners = np.column_stack([self.places, np.zeros(len(self.places))]).astype(np.float32)
        looks = np.column_stack([relative[:, 1:], np.ones((len(relative), 2))]).astype(np.float32)
        skin = np.isin(model.material[model.triangles[:, 0]], [DRAWN.index(SKIN), DRAWN.index(HEAD)])
        raster.cover(buffer, corners, looks, model.triangles[skin])
        seen = buffer[:, :, raster.DEPTH] < raster.EMPTY
        return np.where(seen[:, :, None], buffer[:, :, :2], np.float32(-9))

    def paint(self, rng: Rng) -> F32:
        """(TILE, TILE + SIDE, 3) RGB 0..255, another person for every call."""
        tone = np.array([1.0, 0.76, 0.63]) ** rng.uniform(0.6, 1.5) * rng.uniform(85, 235)
        skin = np.broadcast_to(tone, (TILE, TILE + SIDE, 3)).astype(np.float32).copy()
        skin *= self._complexion(rng)[:, :, None]
        self._redden(skin, rng)
        self._lips(skin, rng)
        self._spots(skin, rng)
        hair = np.array([0.9, 0.75, 0.6]) * rng.uniform(12, 75)
        self._scalp(skin, rng, hair)
        self._brows(skin, rng, hair)
        self._lashes(skin, hair)
        _eyes(skin, rng)
        _teeth(skin, rng)
        return np.ascontiguousarray(np.clip(skin, 2, 253), np.float32)

    def _complexion(self, rng: Rng) -> F32:
        """Pores, fine and coarse blotches: brightness factor of every texel."""
        factor = np.ones((TILE, TILE + SIDE), np.float32)
        for size, depth in ((0.0, 0.025), (1.2, 0.03), (3, 0.02), (8, 0.018), (24, 0.02), (70, 0.035)):
            factor += _noise(rng, factor.shape, size) * np.float32(depth * rng.uniform(0.25, 1.3))
        return factor

    def _redden(self, skin: F32, rng: Rng) -> None:
        """Cheeks and the tip of the nose are redder, under the eyes it is darker."""
        depth = rng.uniform(0, 0.18)
        for mark, reach in ((30, 0.18), (48, 0.33), (54, 0.33)):
            spot = self.marks[mark] - (0, 0.42 * self.oed if mark != 30 else 0)
            glow = self._glow(spot, reach) * depth
            skin *= 1 - glow[:, :, None] * np.array([0.25, 1.0, 0.9], np.float32)
        for mark in (41, 46):
            shade = self._glow(self.marks[mark] + (0, 0.1 * self.oed), 0.12) * rng.uniform(0, 0.2)
            skin *= 1 - shade[:, :, None]

    def _glow(self, centre: NDArray[np.floating], reach: float) -> F32:
        rows, columns = np.ogrid[:TILE, : TILE + SIDE]
        square = ((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (reach * self.oed) ** 2
        return np.asarray(np.exp(-square), np.float32)

    def _lips(self, skin: F32, rng: Rng) -> None:
        mask = np.zeros(skin.shape[:2], np.float32)
        for outline in ([*range(48, 55), 64, 63, 62, 61, 60], [48, *range(59, 53, -1), 64, 65, 66, 67, 60]):
            cv2.fillPoly(mask, [np.rint(self.marks[outline]).astype(np.int32)], 1.0)
        soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(2, 4)), np.float32)
        lines = cv2.GaussianBlur(_noise(rng, (TILE, TILE + SIDE), 0), (0, 0), sigmaX=0.9, sigmaY=7)
        colour = np.array([1.0, 0.76, 0.8]) ** rng.uniform(0.5, 1.8) * rng.uniform(0.78, 0.98)
        factor = colour[None, None] * (1 + 0.45 * lines[:, :, None])
        skin *= 1 + soft[:, :, None] * (factor.astype(np.float32) - 1)

    def _spots(self, skin: F32, rng: Rng) -> None:
        """Freckles, moles and small scars."""
        layer = np.zeros(skin.shape[:2], np.float32)
        for _ in range(int(rng.choice([8, 40, 160, 400]))):
            at = rng.uniform((60, 60), (TILE - 60, TILE - 60))
            size = rng.uniform(0.8, 2.8) if rng.random() < 0.95 else rng.uniform(3, 7)
            centre = (int(at[0] * 16), int(at[1] * 16))
            cv2.circle(layer, centre, int(size * 16), rng.uniform(0.1, 0.4), -1, cv2.LINE_AA, 4)
        soft = np.asarray(cv2.GaussianBlur(layer, (0, 0), 0.8), np.float32)
        skin *= 1 - soft[:, :, None] * np.array([0.7, 0.95, 1.0], np.float32)

    def _scalp(self, skin: F32, rng: Rng, hair: NDArray[np.floating]) -> None:
        """Cropped hair above a hairline, and stubble for some."""
        up, depth = self.height[:, :, 0], self.height[:, :, 1]
        line = rng.uniform(0.72, 0.95)
        cap = np.clip((up - line + 0.9 * np.clip(-depth - 0.35, -0.1, 1.0)) / 0.06, 0, 1)
        cap = cap * (up > -0.3)
        if rng.random() < 0.4:
            beard = np.clip((-0.62 - up) / 0.12, 0, 1) * np.clip((1.45 + up) / 0.1, 0, 1) * (depth > -1.0)
            cap = np.maximum(cap, beard * rng.uniform(0.1, 0.5) * (up > -8))
        grain = np.clip(0.75 + 0.5 * cv2.GaussianBlur(_noise(rng, cap.shape, 0), (0, 0), 0.7), 0, 1)
        mix = (cap * grain)[:, :, None].astype(np.float32)
        skin *= 1 - mix
        skin += mix * hair.astype(np.float32)

    def _brows(self, skin: F32, rng: Rng, hair: NDArray[np.floating]) -> None:
        layer = np.zeros(skin.shape[:2], np.float32)
        width, dense = rng.uniform(0.025, 0.06) * self.oed, int(rng.integers(220, 700))
        lift = rng.uniform(-0.01, 0.02) * self.oed
        for marks in (self.marks[17:22], self.marks[26:21:-1]):  # from the tail inwards
            for _ in range(dense):
                self._hair(layer, marks, rng, (width, lift))
        layer = np.clip(cv2.GaussianBlur(layer, (0, 0), 0.7), 0, 1)[:, :, None] * 0.92
        skin *= 1 - layer
        skin += layer * hair.astype(np.float32)

    def _hair(self, layer: F32, marks: F32, rng: Rng, shape: tuple[float, float]) -> None:
        along = float(rng.uniform(0, 0.999)) * (len(marks) - 1)
        k = int(along)
        middle = marks[k] + (marks[k + 1] - marks[k]) * (along - k)
        width = shape[0] * (0.45 + 0.55 * min(along, 1.5) / 1.5)  # the tail is thin
        root = middle + np.array([rng.normal(0, 1.5), -shape[1] + rng.uniform(-0.5, 0.5) * width])
        outwards = marks[k] - marks[k + 1]
        outwards = outwards / np.linalg.norm(outwards)
        tip = root + (outwards + np.array([0, -0.35 * (along - 1)])) * rng.uniform(6, 15)
        ends = [tuple(int(v * 16) for v in end) for end in (root, tip)]
        cv2.line(layer, ends[0], ends[1], rng.uniform(0.5, 1.0), 1, cv2.LINE_AA, 4)

    def _lashes(self, skin: F32, hair: NDArray[np.floating]) -> None:
        layer = np.zeros(skin.shape[:2], np.float32)
        for marks, depth in (((36, 37, 38, 39), 0.85), ((42, 43, 44, 45), 0.85), ((39, 40, 41, 36), 0.4),
                             ((45, 46, 47, 42), 0.4)):  # fmt: skip
            line = np.rint(self.marks[list(marks)] * 16).astype(np.int32)
            cv2.polylines(layer, [line], False, depth, int(0.018 * self.oed), cv2.LINE_AA, 4)
        soft = np.asarray(cv2.GaussianBlur(layer, (0, 0), 1.5), np.float32)[:, :, None]
        skin *= 1 - soft
        skin += soft * hair.astype(np.float32) * 0.6


def _noise(rng: Rng, shape: tuple[int, ...], size: float) -> F32:
    """Unit noise whose grains are about that many pixels."""
    if size < 4:
        grain = rng.standard_normal(shape, np.float32)
        blurred = cv2.GaussianBlur(grain, (0, 0), size) if size else grain
        return np.asarray(blurred / blurred.std(), np.float32)
    small = rng.standard_normal([max(int(side / size * 2), 3) for side in shape], np.float32)
    large = np.asarray(cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
    return np.asarray(large / large.std(), np.float32)


def _window(atlas: F32, material: str) -> F32:
    left, top, side = PLACES[material]
    return atlas[top : top + side, left : left + side]


@lru_cache(maxsize=1)
def _polar() -> tuple[F32, F32]:
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    x, y = (columns + 0.5) / SIDE - 0.5, (rows + 0.5) / SIDE - 0.5
    return np.hypot(x, y), np.arctan2(y, x)


def _eyes(atlas: F32, rng: Rng) -> None:
    """White with veins, a striped iris with a dark rim, the pupil, a highlight."""
    distance, angle = _polar()
    tile = _window(atlas, LEFT_BALL)
    white = np.array([1.0, 0.95, 0.92]) * rng.uniform(165, 225)
    tile[:] = white * (1 + 0.02 * _noise(rng, (SIDE, SIDE), 3))[:, :, None]
    tile *= (1 - 0.5 * np.clip((distance - IRIS) / 0.25, 0, 1))[:, :, None]
    colour = np.array([[75, 50, 30], [110, 85, 45], [85, 120, 135], [60, 90, 70], [45, 30, 20]])[
        rng.integers(5)
    ]
    stripes = np.interp(np.mod(angle, 2 * np.pi), np.linspace(0, 2 * np.pi, 90), rng.normal(0, 1, 90))
    iris = colour * (1 + 0.18 * stripes)[:, :, None] * (1.1 - 0.7 * (distance / IRIS)[:, :, None] ** 6)
    edge = np.clip((IRIS * 1.04 - distance) / (IRIS * 0.1), 0, 1)[:, :, None]
    tile *= 1 - edge
    tile += edge * iris
    tile *= 1 - 0.95 * np.clip((IRIS * rng.uniform(0.3, 0.5) - distance) / 0.01, 0, 1)[:, :, None]


def _teeth(atlas: F32, rng: Rng) -> None:
    _window(atlas, TEETH)[:] = np.array([1.0, 0.95, 0.85]) * rng.uniform(150, 215)
    gums = _window(atlas, GUMS)
    gums[:] = np.array([135.0, 70.0, 70.0]) * np.linspace(1, 0.25, SIDE)[:, None, None]
