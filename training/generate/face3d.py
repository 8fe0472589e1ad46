"""The 3D face as an actor: ICT-FaceKit's shapes for the action units, lit and drawn with a z-buffer.

A geometry of its own, independent of the fields in `fields.py`: here the movement of every unit is
what the sculpted shapes do. Only how strong they are is measured on the 468 mesh points, so that
amplitudes mean the same in both.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.landmarks import N_MESH
from ...engine.registration import Affine, apply, invert
from . import raster
from .anatomy import CHANNELS, split
from .binding import Binding
from .fields import Style
from .ict import BALLS, DRAWN, GUMS, LEFT_BALL, RIGHT_BALL, SOCKETS, TEETH, IctModel
from .state import REST, Head, State
from .view import CAMERA, NECK, rotation

F32 = NDArray[np.float32]
Floats = NDArray[np.float64]

SHAPES: Mapping[int, tuple[tuple[str, float], ...]] = {
    1: (("browInnerUp", 1.0),),
    2: (("browOuterUp", 1.0),),
    4: (("browDown", 1.0),),
    5: (("eyeWide", 1.0),),
    6: (("cheekRaiser", 1.0), ("cheekSquint", 0.5)),
    7: (("eyeSquint", 1.0),),
    9: (("noseSneer", 1.0),),
    10: (("mouthUpperUp", 1.0),),
    12: (("mouthSmile", 1.0), ("cheekSquint", 0.15)),
    14: (("mouthDimple", 1.0),),
    15: (("mouthFrown", 1.0),),
    16: (("mouthLowerDown", 1.0),),
    17: (("mouthShrugLower", 1.0), ("mouthShrugUpper", 0.25)),
    18: (("mouthPucker", 1.0),),
    20: (("mouthStretch", 1.0),),
    23: (("mouthRollLower", 0.45), ("mouthRollUpper", 0.45), ("mouthPucker", 0.35)),
    24: (("mouthPress_L", 1.0), ("mouthPress_R", 1.0), ("mouthRollLower", 0.15)),
    25: (("mouthLowerDown_L", 0.5), ("mouthLowerDown_R", 0.5), ("mouthUpperUp_L", 0.08),
         ("mouthUpperUp_R", 0.08), ("jawOpen", 0.06)),
    26: (("jawOpen", 1.0),),
    45: (("eyeBlink", 1.0),),
}  # fmt: skip
"""Unit -> shapes and their shares, the leading one first (ICT-FaceKit's FACS table; 23, 25 and 26 are put
together from what the lips and the jaw do in them). Names without a side get the channel's."""

MODES = 60
"""Identity modes used; the later ones are noise."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
SET_BACK = 0.012
"""Eye distances by which the eyeballs are drawn behind where they are, so that shut lids hide them on
every identity."""
MOUTH_SHADE, TEETH_SHADE = 0.45, 0.75
"""Light that reaches the mouth's inside, and the teeth, as a share."""


class IctFields(Mapping[str, Floats]):
    """Channel -> (468, 3) displacement of the mesh points, percent OED in the face frame, largest 1."""

    def __init__(self, shapes: ChannelShapes) -> None:
        self._shapes = shapes

    def __getitem__(self, name: str) -> Floats:
        if name not in CHANNELS:
            raise KeyError(name)
        return self._shapes.at_points(name)

    def __iter__(self) -> Iterator[str]:
        return iter(CHANNELS)

    def __len__(self) -> int:
        return len(CHANNELS)


class ChannelShapes:
    """The model's shapes as channels of one person, each scaled to move its most moved point by 1 % OED."""

    def __init__(self, model: IctModel, binding: Binding, oed: float, style: Style) -> None:
        self._model, self._binding, self._oed, self._style = model, binding, oed, style
        self._offsets: dict[str, F32] = {}
        self._moved: dict[str, Floats] = {}

    def offset(self, name: str) -> F32:
        """(N, 3) model units for 1 % OED."""
        if name not in self._offsets:
            total = np.zeros(self._model.neutral.shape, np.float32)
            for shape, share in self._mix(name):
                total += self._model.shapes[shape].astype(np.float32) * np.float32(share)
            self._offsets[name] = total / np.float32(self._peak(name))
        return self._offsets[name]

    def at_points(self, name: str) -> Floats:
        """(468, 3) percent OED, x right, y down, z away."""
        if name not in self._moved:
            self._moved[name] = self._at_full(name) / self._peak(name)
        return self._moved[name]

    def _peak(self, name: str) -> float:
        """Largest displacement of a mesh point at full strength, percent OED."""
        return float(np.linalg.norm(self._at_full(name)[:, :2], axis=1).max())

    def _at_full(self, name: str) -> Floats:
        """(468, 3) percent OED at full strength."""
        parts = (self._binding.at(self._model.shapes[s], share) for s, share in self._mix(name))
        total = sum(parts, np.zeros((478, 3)))
        return np.asarray(total[:N_MESH] * (1, -1, -1) * (100 / self._oed))

    def _mix(self, name: str) -> list[tuple[str, float]]:
        """The model's shapes of a channel and their shares, in this person's way."""
        au, side = split(name)
        company = self._style.company.get(name, 1.0)
        return [
            (
                shape if shape in self._model.shapes else f"{shape}_{side}",
                share * (company if rank else 1.0),
            )
            for rank, (shape, share) in enumerate(SHAPES[au])
        ]


class IctFace:
    """One identity of the 3D face, lit and ready to act.

    vertices  (N, 3) its neutral points
    oed       eye distance in pixels on the canvas
    pose      how the head is held when it does nothing
    """

    def __init__(
        self,
        model: IctModel,
        binding: Binding,
        vertices: F32,
        atlas: F32,
        oed: float,
        *,
        places: F32,
        style: Style | None = None,
        pose: Head = REST.head,
        light: tuple[float, float, float] = (0.2, -0.5, -0.85),
        ambient: float = 0.45,
        backdrop: F32 | None = None,
    ) -> None:
        self.model, self.binding, self.vertices, self.atlas = model, binding, vertices, atlas
        self.drawn_oed, self.pose, self.ambient, self.places = oed, pose, ambient, places
        self.light = np.asarray(light, np.float32) / np.float32(np.linalg.norm(light))
        self.backdrop = backdrop
        eyes = binding.of(vertices)[[33, 263]]
        self.middle = eyes.mean(axis=0)
        self.oed = float(np.linalg.norm((eyes[1] - eyes[0])[:2]))
        self.shapes = ChannelShapes(model, binding, self.oed, style or Style())
        self.fields = IctFields(self.shapes)
        self.openings = self._openings()
        self._shade = _shade(model)
        balls = [DRAWN.index(name) for name in (LEFT_BALL, RIGHT_BALL)]
        self._behind_lids = np.where(np.isin(model.material, balls), np.float32(SET_BACK), np.float32(0))

    def with_style(self, style: Style) -> IctFace:
        """The same face, moving in another person's way."""
        other = copy.copy(self)
        other.shapes = ChannelShapes(self.model, self.binding, self.oed, style)
        other.fields = IctFields(other.shapes)
        return other

    def at_size(self, oed: float, *, gray: bool) -> IctFace:
        """The same face at another size, in colour or in luma."""
        other = copy.copy(self)
        other.drawn_oed = oed
        if gray:
            other.atlas = np.ascontiguousarray(self.atlas @ LUMA[:, None])
            other.backdrop = None if self.backdrop is None else self.backdrop @ LUMA
        return other

    def frame(self, size: tuple[int, int]) -> Affine:
        """Affine from canvas pixels to the face's own, whose origin lies between the eyes."""
        return np.array(
            [[1.0, 0, -(size[0] - 1) / 2], [0, 1.0, -(size[1] - 1) / 2 + 0.35 * self.drawn_oed]]
        )

    def render(self, state: State, matrix: Affine, size: tuple[int, int]) -> F32:
        """(height, width, 3) picture, 0..255 before rounding; `matrix` from canvas to own pixels."""
        seen = self._seen(self._acting(state), state.head)
        drawn = seen[self.model.point]
        bright = raster.lit(drawn, self.model.triangles, self.light, self.ambient) * self._shade
        looks = np.column_stack([self.places, np.ones(len(drawn), np.float32), 1.25 * bright])
        corners = drawn.copy()
        corners[:, :2] = apply(invert(matrix), drawn[:, :2]) * 2 + 0.5
        corners[:, 2] += self._behind_lids * self.drawn_oed
        buffer = raster.blank(2 * size[1], 2 * size[0])
        raster.cover(buffer, corners, looks.astype(np.float32), self.model.triangles, FACING)
        image = self._behind(size)
        raster.fill_twice(image, buffer, self.atlas)
        return image

    def seen(self, state: State, matrix: Affine) -> F32:
        """(N, 3) where each model point is on the canvas, and its depth."""
        points = self._seen(self._acting(state), state.head)
        points[:, :2] = apply(invert(matrix), points[:, :2])
        return points

    def landmarks(self, state: State, matrix: Affine) -> F32:
        """(478, 3) true places of the face points on the canvas."""
        return self.binding.of(self.seen(state, matrix)).astype(np.float32)

    def _acting(self, state: State) -> F32:
        """(N, 3) model points after the expression and the gaze."""
        points = self.vertices.copy()
        for name, amplitude in state.units.items():
            points += np.float32(amplitude) * self.shapes.offset(name)
        if state.closure:
            for name, opening in self.openings.items():
                points += np.float32(state.closure * opening) * self.shapes.offset(name)
        if state.gaze != (0.0, 0.0):
            for ball in BALLS:
                _look(points[ball], np.array(state.gaze) * self.oed / 100)
        return points

    def _seen(self, points: F32, head: Head) -> F32:
        """(N, 3) own pixels x right, y down, and depth in pixels away from the eyes' plane."""
        placed = (points - self.middle) * (1, -1, -1) / self.oed
        pivot = np.array([0, NECK, NECK])
        turn = rotation(head) @ rotation(self.pose)
        placed = (placed - pivot) @ turn.T + pivot + np.array([head.x, head.y, head.z]) / 100
        placed[:, :2] *= CAMERA / (CAMERA + placed[:, 2:])
        return np.asarray(placed * self.drawn_oed, np.float32)

    def _openings(self) -> dict[str, float]:
        """Percent OED of lid movement that shuts each eye: the model's own full blink."""
        full = {"45L": "eyeBlink_L", "45R": "eyeBlink_R"}
        return {
            name: float(np.abs(self.model.shapes[shape].astype(np.float32)).max()
                        / np.abs(self.shapes.offset(name)).max())
            for name, shape in full.items()
        }  # fmt: skip

    def _behind(self, size: tuple[int, int]) -> F32:
        channels = self.atlas.shape[2]
        if self.backdrop is None:
            return np.full((size[1], size[0], channels), 110, np.float32)
        fitted = np.asarray(cv2.resize(self.backdrop, size, interpolation=cv2.INTER_CUBIC), np.float32)
        return np.ascontiguousarray(fitted.reshape(size[1], size[0], channels))


FACING = -1.0
"""The model's triangles run counter-clockwise as seen from outside."""


def _look(ball: F32, shift: Floats) -> None:
    """Turn an eyeball (n, 3), in place, so that its front moves by `shift` (right, down)."""
    middle = (ball.min(axis=0) + ball.max(axis=0)) / 2
    radius = float((ball.max(axis=0) - ball.min(axis=0))[:2].max() / 2)
    yaw, pitch = np.degrees(np.arcsin(np.clip(shift / radius, -0.9, 0.9)))
    turn = rotation(Head(yaw=float(yaw), pitch=-float(pitch)))
    flip = np.array([1, -1, -1])
    ball[:] = ((ball - middle) * flip @ turn.T) * flip + middle


def _shade(model: IctModel) -> F32:
    """(V,) share of the light that reaches each drawn vertex."""
    inner = model.material == DRAWN.index(GUMS)
    inner |= (model.point >= SOCKETS.start) & (model.point < SOCKETS.stop)
    shade = np.where(inner, MOUTH_SHADE, 1.0)
    shade[model.material == DRAWN.index(TEETH)] = TEETH_SHADE
    return shade.astype(np.float32)


def identity(model: IctModel, weights: Floats) -> F32:
    """(N, 3) neutral points of the identity with these mode weights, about N(0, 1) each."""
    vertices = model.neutral.copy()
    for weight, mode in zip(weights.tolist(), model.identity, strict=False):
        vertices += np.float32(weight) * mode.astype(np.float32)
    return vertices
