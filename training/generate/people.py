"""Who acts in generated clips: photographs in a folder, or identities of the 3D face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from ...engine.faces import find_faces
from ...engine.records import Picture
from .clip import Face
from .fields import Style
from .warp import PhotoFace

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One identity, from which a face can be made at any size."""

    name: str
    geometry: str
    """'photo' or 'face3d'."""
    build: Callable[[float, bool], Face]
    """(eye distance in canvas pixels, gray) -> a face; the last few are kept."""


def photo_people(folder: Path, names: Sequence[str] | None = None) -> list[Person]:
    """Everybody in a folder of photographs, one face each, sorted by file name.

    folder  looked through without its subfolders
    names   file names without ending to keep; None: all

    Raises MicroauError where there is no photograph, or one shows no face.
    """
    if not folder.is_dir():
        raise MicroauError(f"{folder}: no such folder. Give a folder of photographs, one face each")
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in PHOTO_ENDINGS)
    files = [f for f in files if names is None or f.stem in names]
    if not files:
        raise MicroauError(f"{folder}: holds no photograph ({', '.join(PHOTO_ENDINGS)})")
    return [photo_person(f.stem, *_load(f)) for f in files]


def photo_person(name: str, photo: NDArray[np.uint8], points: NDArray[np.floating]) -> Person:
    """A person from one photograph, (H, W, 3) RGB, and its 478 face points."""
    photo, points = _around_face(photo, points)
    style = Style.random(np.random.default_rng(list(name.encode())))

    @lru_cache(maxsize=4)
    def build(oed: float, gray: bool) -> PhotoFace:
        picture = Picture.from_rgb(photo).luma if gray else photo
        return PhotoFace(picture, points, oed, style=style)

    return Person(name, "photo", build)


def _load(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise MicroauError(f"{path}: cannot be read as a picture")
    photo = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
    return photo, face_points(photo, str(path))


def face_points(photo: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
    """(478, 3) points of the largest face of a photograph (H, W, 3) RGB."""
    faces = find_faces(Picture.from_rgb(photo))
    if not faces:
        raise MicroauError(f"{name}: no face was found. Give a frontal photograph with a neutral face")
    return max(faces, key=lambda face: face.oed).points


def _around_face(
    photo: NDArray[np.uint8], points: NDArray[np.floating]
) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
    """Cut away what lies more than four eye distances from the face: no canvas shows it."""
    middle = (points[33, :2] + points[263, :2]) / 2
    reach = 4 * np.linalg.norm(points[33, :2] - points[263, :2])
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.ceil(middle + reach).astype(int)
    cut = np.ascontiguousarray(photo[low[1] : high[1], low[0] : high[0]])
    return cut, points - np.array([low[0], low[1], 0], np.float32)
