"""One onset and apex -> registered crops, landmarks and flow: the stream's own steps, in its order.

in    two pictures of one face, (H, W, 3) RGB uint8
out   Prepared
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from ...engine.face_models import FaceModels, open_models
from ...engine.faces import FaceConfig, find_faces
from ...engine.facial_flow import facial_flow
from ...engine.follow_head import follow_head
from ...engine.landmarks import to_68
from ...engine.magnification import magnify
from ...engine.records import Face, Gray, Picture, Rgb
from ...engine.registration import CROP, crop_matrix, to_crop
from ...engine.tokens import token_indices
from .config import LEARNED, PrepareConfig

GRID = (7, 7)
"""Tokens of ViT-B/32 at 224 pixels, rows and columns."""

Magnifier = Callable[[Gray, Gray], Gray]
"""Onset and apex crop -> apex crop with more motion."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What a model is trained on, whichever it is."""

    onset: Gray
    """(224, 224) uint8 registered crop."""
    apex: Gray
    """(224, 224), magnified if that was asked."""
    onset_points: NDArray[np.float32]
    """(478, 3) mesh at the onset, crop pixels."""
    apex_points: NDArray[np.float32]
    """(478, 3) mesh at the apex, crop pixels; `engine.landmarks.to_68` gives the paper's 68."""
    flow: NDArray[np.float16]
    """(224, 224, 2) crop pixels, onset -> apex, head motion taken out."""
    tokens: NDArray[np.int16]
    """(68,) number of the token under each of the 68 landmarks of the apex on GRID (Eq 1 of the paper)."""


class Preparer:
    """Prepares pairs one after the other; holds the face models. One per process."""

    def __init__(self, config: PrepareConfig) -> None:
        self._faces: FaceModels = open_models(FaceConfig().backend)
        self._magnify = _magnifier(config)

    def __call__(self, onset: Rgb, apex: Rgb) -> Prepared:
        """Raises MicroauError where one of the pictures shows no face."""
        first, second = Picture.from_rgb(onset), Picture.from_rgb(apex)
        face, moved = self._face(first, "onset"), self._face(second, "apex")
        matrix = crop_matrix(face.points)
        there = follow_head(matrix, face, moved)
        still = first.warp_luma(matrix, (CROP, CROP))
        larger = self._magnify(still, second.warp_luma(there, (CROP, CROP)))
        points = to_crop(face.points, matrix)
        flow = facial_flow(still, larger, points).astype(np.float16)
        apex_points = to_crop(moved.points, there)
        return Prepared(still, larger, points, apex_points, flow, _tokens(apex_points))

    def _face(self, picture: Picture, moment: str) -> Face:
        faces = find_faces(picture, models=self._faces)
        if not faces:
            raise MicroauError(f"no face in the {moment} frame")
        return faces[0]  # the largest


def _tokens(points: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.asarray(token_indices(to_68(points)[:, :2], (CROP, CROP), GRID), np.int16)


def _magnifier(config: PrepareConfig) -> Magnifier:
    if config.magnification == LEARNED:
        from ..magnifier.apply import LearnedMagnifier  # needs torch

        return LearnedMagnifier(config.weights, config.factor)
    return lambda onset, apex: magnify(config.magnification, onset, apex, config.factor)
