"""MediaPipe's face detector, mesh and iris models, run by ONNX Runtime on one thread each.

The models are converted by `export/face_models.py`; what surrounds them here (anchors, regions, crops)
follows MediaPipe 0.10.21's graphs face_detection_short_range, face_landmark and iris_landmark
(Bazarevsky et al. 2019; Kartynnik et al. 2019; Ablavatski et al. 2020).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..records import Picture
from . import Detection, Region, whole

ASSETS = Path(__file__).parents[1] / "assets"

DETECTOR_SIZE, MESH_SIZE, IRIS_SIZE = 128, 192, 64
"""Pixels, side of each model's input."""
DETECTOR_SCORE = 0.5
OVERLAP = 0.3
"""Boxes that share more than this (intersection over union) are one face."""
FACE_MARGIN = 1.5
"""Side of the region over that of the face's box, from the detector."""
EYE_MARGIN = 2.3
"""Side of the region over the eye's width."""
EYES = {False: (33, 133), True: (362, 263)}
"""Corners of the subject's right (False) and left eye, image-left one first."""
MIRRORED_RIM = [0, 3, 2, 1, 4]
"""An iris is its centre, then its rim: image-right, top, image-left, bottom."""


def anchors() -> NDArray[np.float32]:
    """Centres (896, 2) of the detector's anchors, as a share of its input: two on each of 16 x 16 places,
    then six on each of 8 x 8.
    """
    return np.asarray(np.concatenate([_grid(16, 2), _grid(8, 6)]), np.float32)


def _grid(side: int, repeat: int) -> NDArray[np.float32]:
    middle = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(middle, middle)
    return np.asarray(np.stack([x.ravel(), y.ravel()], axis=1).repeat(repeat, axis=0), np.float32)


def open_model(path: Path) -> onnxruntime.InferenceSession:
    """Session on the CPU with one thread: two are slower for networks this small."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class OnnxFaceModels:
    """The default: CPU alone, nothing but the four files in `engine/assets`."""

    def __init__(self, folder: Path = ASSETS) -> None:
        self._detector = open_model(folder / "face_detector.onnx")
        self._mesh = open_model(folder / "face_mesh.onnx")
        self._iris = open_model(folder / "iris.onnx")
        self._anchors = anchors()

    def detect(self, picture: Picture, view: Region | None = None) -> list[Detection]:
        matrix = (view or whole(picture)).to_picture(DETECTOR_SIZE)
        image = _crop(picture, matrix, DETECTOR_SIZE)
        _blacken_outside(image[0], picture, matrix)
        boxes, scores = self._detector.run(None, {"image": image})
        keep = scores > np.log(DETECTOR_SCORE / (1 - DETECTOR_SCORE))
        shapes = boxes[keep].reshape(-1, 8, 2) / DETECTOR_SIZE
        shapes[:, 0] += self._anchors[keep]  # box centre; then width and height; then six key points
        shapes[:, 2:] += self._anchors[keep, None]
        merged = _merge(shapes, _sigmoid(scores[keep]))
        return [Detection(_face_region(shape, matrix), score) for shape, score in merged]

    def mesh(self, picture: Picture, region: Region) -> tuple[NDArray[np.float32], float]:
        matrix = region.to_picture(MESH_SIZE)
        points, score = self._mesh.run(None, {"image": _crop(picture, matrix, MESH_SIZE)})
        points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points[:, 2] *= region.size / MESH_SIZE
        return points, float(_sigmoid(score)[0])

    def iris(self, picture: Picture, points: NDArray[np.float32], left: bool) -> NDArray[np.float32]:
        matrix = eye_region(points, left).to_picture(IRIS_SIZE)
        if left:  # the model knows right eyes: it is shown the left one in a mirror
            matrix = matrix @ np.array([[-1, 0, IRIS_SIZE], [0, 1, 0], [0, 0, 1.0]])
        found = self._iris.run(["iris"], {"image": _crop(picture, matrix, IRIS_SIZE)})[0]
        if left:
            found = found[MIRRORED_RIM]
        return np.asarray(found[:, :2] @ matrix[:, :2].T + matrix[:, 2], np.float32)


def eye_region(points: NDArray[np.float32], left: bool) -> Region:
    """Square around one eye, turned with its corners."""
    start, end = (points[i, :2].astype(float) for i in EYES[left])
    along, middle = end - start, (start + end) / 2
    side = EYE_MARGIN * float(np.abs(along).max())
    return Region(float(middle[0]), float(middle[1]), side, float(np.arctan2(along[1], along[0])))


def _crop(picture: Picture, matrix: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """What a model is shown: (1, 3, size, size), the planes R, G, B."""
    planes = np.empty((1, 3, size, size), np.uint8)
    cv2.split(picture.warp_rgb(matrix, (size, size)), list(planes[0]))
    return planes


def _blacken_outside(image: NDArray[np.uint8], picture: Picture, matrix: NDArray[np.float64]) -> None:
    """What lies beyond the picture's edge is black, as the detector learnt it, not the edge repeated."""
    (left, top), scale = -matrix[:, 2] / matrix[0, 0], matrix[0, 0]
    right, bottom = left + picture.width / scale, top + picture.height / scale
    image[:, : max(round(top), 0)] = 0
    image[:, max(round(bottom), 0) :] = 0
    image[:, :, : max(round(left), 0)] = 0
    image[:, :, max(round(right), 0) :] = 0


def _face_region(shape: NDArray[np.float32], matrix: NDArray[np.float64]) -> Region:
    """Region of a detection (8, 2): centre, size, then key points with both eyes first."""
    middle, right_eye, left_eye = shape[[0, 2, 3]] * DETECTOR_SIZE @ matrix[:, :2].T + matrix[:, 2]
    along = left_eye - right_eye
    side = FACE_MARGIN * DETECTOR_SIZE * matrix[0, 0] * float(shape[1].max())
    return Region(float(middle[0]), float(middle[1]), float(side), float(np.arctan2(along[1], along[0])))


def _merge(
    shapes: NDArray[np.float32], scores: NDArray[np.float32]
) -> list[tuple[NDArray[np.float32], float]]:
    """One mean shape for every bundle of overlapping detections, weighted by score."""
    merged = []
    order = np.argsort(-scores)
    shapes, scores = shapes[order], scores[order]
    while len(scores):
        same = _overlap(shapes[0], shapes) > OVERLAP
        same[0] = True
        weight = scores[same, None, None]
        merged.append(((shapes[same] * weight).sum(axis=0) / weight.sum(), float(scores[0])))
        shapes, scores = shapes[~same], scores[~same]
    return merged


def _overlap(one: NDArray[np.float32], many: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of box (8, 2) with boxes (n, 8, 2), whose rows 0, 1 are centre and size."""
    low = np.maximum(one[0] - one[1] / 2, many[:, 0] - many[:, 1] / 2)
    high = np.minimum(one[0] + one[1] / 2, many[:, 0] + many[:, 1] / 2)
    shared = np.clip(high - low, 0, None).prod(axis=1)
    total = one[1].prod() + many[:, 1].prod(axis=1) - shared
    return np.asarray(shared / np.maximum(total, 1e-12), np.float32)


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), np.float32)
