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
from .binding import Binding, bind
from .clip import Face
from .face3d import MODES, IctFace, identity
from .fields import Fields, Layered, Style
from .ict import IctModel, load_ict
from .neutral import neutral_frame
from .skin import Painter
from .sparse import sparse_fields
from .state import REST, Head
from .warp import PhotoFace

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
VIDEO_ENDINGS = (".mp4", ".mov", ".mkv", ".avi", ".webm")
SMALLEST = 50.0
"""Pixels between the outer eye corners below which a photograph holds too little to be moved."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One identity, from which a face can be made at any size."""

    name: str
    geometry: str
    """'photo', 'face3d', 'mixed' or 'sparse'."""
    build: Callable[[float, bool], Face]
    """(eye distance in canvas pixels, gray) -> a face; the last few are kept."""


def photo_people(
    folder: Path, names: Sequence[str] | None = None, limit: int | None = None
) -> list[Person]:
    """Everybody in a folder of photographs, one face each, sorted by file name.

    folder  looked through without its subfolders
    names   file names without ending to keep; None: all
    limit   keep the first so many

    Raises MicroauError where there is no photograph, or one shows no face.
    """
    if not folder.is_dir():
        raise MicroauError(f"{folder}: no such folder. Give a folder of photographs, one face each")
    known = (*PHOTO_ENDINGS, *VIDEO_ENDINGS)
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in known)
    files = [f for f in files if names is None or f.stem in names]
    if not files:
        raise MicroauError(f"{folder}: holds no photograph or video ({', '.join(known)})")
    return [photo_person(f.stem, *_load(f)) for f in files[:limit]]


def photo_person(name: str, photo: NDArray[np.uint8], points: NDArray[np.floating]) -> Person:
    """A person from one photograph, (H, W, 3) RGB, and its 478 face points."""
    photo, points = _around_face(photo, points)
    style = Style.random(np.random.default_rng(list(name.encode())))

    def build(oed: float, gray: bool) -> Face:
        picture = Picture.from_rgb(photo).luma if gray else photo
        return PhotoFace(picture, points, oed, style=style)

    return Person(name, "photo", _recent(build))


def sculpted_motion(person: Person, model: Person) -> Person:
    """A photograph moved as the 3D face moves: real skin with sculpted shapes, a geometry between both.

    person  from a photograph
    model   an identity of the 3D face, whose shapes are taken as they move its face points
    """

    def build(oed: float, gray: bool) -> Face:
        face, shapes = person.build(oed, gray), model.build(oed, gray)
        if not isinstance(face, PhotoFace):
            raise TypeError(f"{person.name} is no photograph")
        return face.moved_by(lambda style: shapes.with_style(style).fields, Style())

    return Person(f"{person.name}+{model.name}", "mixed", _recent(build))


def sparse_motion(person: Person) -> Person:
    """A photograph moved by few landmarks with the skin around them carried along (`sparse.py`)."""

    def build(oed: float, gray: bool) -> Face:
        face = person.build(oed, gray)
        if not isinstance(face, PhotoFace):
            raise TypeError(f"{person.name} is no photograph")
        own = Style.random(np.random.default_rng(list(person.name.encode())))
        # Mouth shapes of speech are no units of the table: they stay those of the anatomy.
        return face.moved_by(lambda style: Layered(sparse_fields(style), Fields(style)), own)

    return Person(f"{person.name}~", "sparse", _recent(build))


def _recent(build: Callable[[float, bool], Face]) -> Callable[[float, bool], Face]:
    """The same, with the last few faces kept: texture and fields take longer to make than a frame."""
    kept = lru_cache(maxsize=4)(build)
    return lambda oed, gray: kept(oed, gray)


def _load(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
    if path.suffix.lower() in VIDEO_ENDINGS:
        photo, points = neutral_frame(path)
        return photo, _large_enough(points, str(path))
    photo = read_photo(path)
    return photo, face_points(photo, str(path))


def read_photo(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB; raises MicroauError where it is no picture."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise MicroauError(f"{path}: cannot be read as a picture")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def face_points(photo: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
    """(478, 3) points of the largest face of a photograph (H, W, 3) RGB."""
    faces = find_faces(Picture.from_rgb(photo))
    if not faces:
        raise MicroauError(f"{name}: no face was found. Give a frontal photograph with a neutral face")
    return _large_enough(max(faces, key=lambda face: face.oed).points, name)


def _large_enough(points: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    oed = float(np.linalg.norm(points[33, :2] - points[263, :2]))
    if oed < SMALLEST:
        raise MicroauError(f"{name}: {oed:.0f} pixels between the eyes, at least {SMALLEST:.0f} are needed")
    return points


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


def ict_people(path: Path, n: int, seed: int = 0) -> list[Person]:
    """`n` identities of the 3D face at random: shape, skin, light and how the head is held.

    path  ICT-FaceKit as one .npz of arrays

    Raises MicroauError where the file is missing or something else.
    """
    model = load_ict(path)
    studio = Studio(model)
    return [studio.person(k, seed) for k in range(n)]


class Studio:
    """Makes identities of one model; what they share is made once."""

    def __init__(self, model: IctModel) -> None:
        self.model, self.painter = model, Painter(model)
        self.binding = self._bound()

    def person(self, number: int, seed: int) -> Person:
        """One identity; the same number and seed give the same one."""

        @lru_cache(maxsize=1)
        def made() -> IctFace:
            rng = np.random.default_rng([seed, number])
            weights = np.clip(rng.normal(0, 0.8, MODES), -2, 2)
            light = (float(rng.normal(0, 0.6)), -abs(float(rng.normal(0.3, 0.4))), -1.0)
            return IctFace(
                self.model, self.binding, identity(self.model, weights), self.painter.paint(rng), 100.0,
                places=self.painter.places,
                style=Style.random(rng),
                pose=Head(*(float(a) for a in np.clip(rng.normal(0, 1, 3), -2, 2) * (5, 4, 2.5))),
                light=light,
                ambient=float(rng.uniform(0.3, 0.65)),
                backdrop=_backdrop(rng),
            )  # fmt: skip

        def build(oed: float, gray: bool) -> Face:
            return made().at_size(oed, gray=gray)

        return Person(f"ict{number:03d}", "face3d", _recent(build))

    def _bound(self) -> Binding:
        """The face points are found once, on the average face."""
        rng = np.random.default_rng(11)
        rough = Binding(
            np.repeat(self.model.lm68[[36] * 478][:, None], 3, axis=1), np.full((478, 3), 1 / 3)
        )
        rough.points[263] = self.model.lm68[45]
        atlas, places = self.painter.paint(rng), self.painter.places
        face = IctFace(self.model, rough, self.model.neutral, atlas, 220.0, places=places, ambient=0.6)
        size = (720, 860)
        matrix = face.frame(size)
        picture = np.clip(face.render(REST, matrix, size), 0, 255).astype(np.uint8)
        return bind(self.model, face.seen(REST, matrix), face_points(picture, "the 3D face"))


def _backdrop(rng: np.random.Generator) -> NDArray[np.float32]:
    """(24, 32, 3) a dim wall, uneven."""
    wall = rng.uniform(40, 190) * rng.uniform(0.85, 1.0, 3)
    cloud = 1 + 0.25 * cv2.GaussianBlur(rng.normal(0, 1, (24, 32)), (0, 0), 4)[:, :, None]
    return np.asarray(wall * cloud, np.float32)
