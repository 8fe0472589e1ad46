"""Two still pictures of one face, at rest and moved: which action units moved between them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.describe import AuResult, Decided
from ..engine.errors import MicroauError
from ..engine.explain import Shift
from ..engine.faces import FaceConfig, find_faces
from ..engine.follow_head import follow_head
from ..engine.records import Face, Picture
from ..engine.registration import CROP, crop_matrix, to_crop
from .config import ModelConfig
from .describing import load_describer
from .table import explanation_record, sides_record

Image = str | os.PathLike[str] | NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Pair:
    """What moved between two pictures: candidates to be looked at.

    Readable like its JSON object too: `pair["present"]`.
    """

    aus: dict[str, float]
    """'AU01' -> calibrated probability 0..1, every unit of the model."""
    present: tuple[str, ...]
    """Units decided present, ascending, e.g. ('AU01', 'AU02')."""
    units: tuple[Decided, ...]
    """The same with the side, where only one moved."""
    emotion: str
    """'positive', 'negative', 'surprise' or 'other'."""
    emotion_scores: dict[str, float]
    sides: dict[str, tuple[float, float]]
    """'AU12' -> probability of the subject's left and right."""
    explanation: tuple[Shift, ...]
    """Largest movements first."""

    def __getitem__(self, name: str) -> Any:
        return self.to_dict()[name]

    def to_dict(self, *, explain: bool = False) -> dict[str, Any]:
        """The JSON object that `microau-pair --json` prints."""
        record: dict[str, Any] = {
            "aus": {au: round(p, 4) for au, p in self.aus.items()},
            "present": list(self.present),
            "emotion": self.emotion,
            "emotion_scores": {name: round(score, 4) for name, score in self.emotion_scores.items()},
            "units": "+".join(map(str, self.units)),
            "sides": sides_record(self.sides),
        }
        return record | ({"explanation": explanation_record(self.explanation)} if explain else {})


def analyze_pair(
    onset: Image, apex: Image, *, model: str | None = None, device: str = "cpu", au_only: bool = False
) -> Pair:
    """Which action units moved between two pictures of one face.

    onset, apex  a picture file, or an array (H, W, 3) RGB or (H, W) gray, uint8
    model        bundle to use; None: the one that is shipped
    raises       MicroauError where a picture cannot be read or shows no face
    """
    config = ModelConfig(path=model, device=device, au_only=au_only)
    first, second = _picture(onset, "onset"), _picture(apex, "apex")
    face = _largest(_faces(first, _name(onset, "onset")))
    other = _same(face, first, _faces(second, _name(apex, "apex")), second)
    matrix = crop_matrix(face.points)
    with load_describer(config) as describer:
        found = describer.describe(
            first.warp_luma(matrix, (CROP, CROP)),
            second.warp_luma(follow_head(matrix, face, other), (CROP, CROP)),
            to_crop(face.points, matrix),
        )
    return _pair(found, au_only)


def _pair(found: AuResult, au_only: bool) -> Pair:
    return Pair(
        aus=found.probabilities,
        present=tuple(f"AU{unit.au:02d}" for unit in found.present),
        units=found.present,
        emotion="" if au_only else found.emotion,
        emotion_scores={} if au_only else found.emotion_scores,
        sides=found.sides,
        explanation=found.shifts,
    )


def _name(image: Image, role: str) -> str:
    return f"the {role} array" if isinstance(image, np.ndarray) else str(image)


def _picture(image: Image, role: str) -> Picture:
    if not isinstance(image, np.ndarray):
        return read_picture(Path(image))
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise MicroauError(
            f"the {role} array is {image.shape} {image.dtype}: give (H, W, 3) RGB or (H, W) gray, uint8"
        )
    return Picture.from_rgb(image)


def read_picture(path: Path) -> Picture:
    """A still picture of any kind that OpenCV reads, turned upright as its EXIF says."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise MicroauError(f"{path}: cannot be read: {error.strerror}. Give a picture file") from error
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if decoded is None:
        raise MicroauError(f"{path}: is not a picture. Give a PNG, JPEG or the like")
    return Picture.from_rgb(np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8))


def _faces(picture: Picture, name: str) -> list[Face]:
    least = FaceConfig().min_oed_px
    faces = find_faces(picture)
    if not faces:
        raise MicroauError(f"{name}: no face was found. Give a picture with one face to the front")
    large = [face for face in faces if face.oed >= least]
    if not large:
        size = max(face.oed for face in faces)
        raise MicroauError(
            f"{name}: the face is too small, {size:.0f} pixels between the outer eye corners."
            f" Give at least {least:.0f}"
        )
    return large


def _largest(faces: Sequence[Face]) -> Face:
    return max(faces, key=lambda face: face.oed)


def _same(face: Face, picture: Picture, faces: Sequence[Face], other: Picture) -> Face:
    """The face of the other picture that stands where this one stands in its own."""

    def place(one: Face, within: Picture) -> NDArray[np.float64]:
        return np.asarray(one.points[:, :2].mean(axis=0) / (within.width, within.height))

    return min(faces, key=lambda one: float(np.linalg.norm(place(one, other) - place(face, picture))))
