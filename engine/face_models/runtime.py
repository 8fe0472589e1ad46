"""MediaPipe's own runtime behind the interface of the face models: to compare, or for newer models.

Needs the package mediapipe and Google's model bundle face_landmarker.task, which that package does not
bring. Its releases from 0.10.35 on look up a metrics host of Google's even on an offline run, and no
way to switch that off was found: this is why it is not the default.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MicroauError
from ..records import Picture
from . import Detection, Region, mesh_region, whole

VIEW_SIZE, FACE_SIZE = 640, 256
"""Pixels, side of what the runtime is shown of the picture, and of one face."""
MAX_FACES = 8
"""Found at most in one view."""


class RuntimeFaceModels:
    """MediaPipe's FaceLandmarker on still crops. It gives no score: a face that is found has 1, else 0."""

    def __init__(self, task: str | None) -> None:
        if task is None or not Path(task).is_file():
            raise MicroauError(f"{task}: no such file. Give task, the path of face_landmarker.task")
        self._mediapipe = _mediapipe()
        self._many = self._landmarker(task, MAX_FACES)
        self._one = self._landmarker(task, 1)

    def detect(self, picture: Picture, view: Region | None = None) -> list[Detection]:
        found = self._run(self._many, picture, view or whole(picture), VIEW_SIZE)
        return [Detection(mesh_region(points), 1.0) for points in found]

    def mesh(self, picture: Picture, region: Region) -> tuple[NDArray[np.float32], float]:
        for points in self._run(self._one, picture, region, FACE_SIZE):
            return points[:468], 1.0
        return np.zeros((468, 3), np.float32), 0.0

    def iris(self, picture: Picture, points: NDArray[np.float32], left: bool) -> NDArray[np.float32]:
        rows, corners = (slice(473, 478), [362, 263]) if left else (slice(468, 473), [33, 133])
        for found in self._run(self._one, picture, mesh_region(points), FACE_SIZE):
            return np.asarray(found[rows, :2], np.float32)
        return np.asarray(points[corners, :2].mean(axis=0, keepdims=True).repeat(5, axis=0), np.float32)

    def _landmarker(self, task: str, faces: int) -> Any:
        vision = self._mediapipe.tasks.vision
        options = vision.FaceLandmarkerOptions(
            base_options=self._mediapipe.tasks.BaseOptions(model_asset_path=task), num_faces=faces
        )
        return vision.FaceLandmarker.create_from_options(options)

    def _run(self, landmarker: Any, picture: Picture, view: Region, size: int) -> list[NDArray[np.float32]]:
        """Points (478, 3) in pixels of the picture, of every face in a square of it."""
        matrix = view.to_picture(size)
        crop = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=picture.warp_rgb(matrix, (size, size))
        )
        faces = landmarker.detect(crop).face_landmarks
        return [_to_picture(face, matrix, size) for face in faces]


def _mediapipe() -> Any:
    try:
        return import_module("mediapipe")
    except ImportError:
        raise MicroauError("the mediapipe back end needs: pip install microau[mediapipe]") from None


def _to_picture(face: Any, matrix: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Landmarks as shares of a crop -> pixels of the picture; depth in the same unit."""
    points = np.array([(point.x, point.y, point.z) for point in face]) * size
    points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    points[:, 2] *= np.hypot(*matrix[:, 0])
    return points.astype(np.float32)
