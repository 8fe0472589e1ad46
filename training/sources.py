"""Who the default model learns from: persons of five ways to move, each loaded when it is needed.

    photo    a photograph, moved by fields written from anatomy
    face3d   an identity of the 3D face, moved by its own sculpted shapes
    mixed    a photograph, moved by the shapes of an identity
    sparse   a photograph, moved by a few landmarks with the skin around them
    smile    a photograph and another of the same person smiling: real movement, where it is at hand

The last three bring nobody new: they stand on the side of the split where their photograph and their
identity stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from ..engine.errors import MicroauError
from .generate.ict import load_ict
from .generate.people import (
    PHOTO_ENDINGS,
    Person,
    Studio,
    photo_people,
    sculpted_motion,
    sparse_motion,
)
from .generate.posed import Posed, posed_smile, smile_of
from .splits import split


@dataclass(frozen=True, slots=True)
class Source:
    """One person in one way to move."""

    name: str
    """Unique: the way, a slash, who it is."""
    load: Callable[[], Person | Posed]
    """Can be sent to another process."""
    share: float = 1.0
    """Of the number of pairs that a person gets."""


SMILE = "smile"
"""The way whose movement is real, and known in one or two units alone."""
DERIVED = 0.5
"""Share of pairs of a face that is already there in another way."""


def photo_sources(folder: Path) -> list[Source]:
    """Everybody in a folder of photographs; raises MicroauError where there is no such folder."""
    return [Source(f"photo/{f.stem}", partial(_photo, folder, f.stem)) for f in _photographs(folder)]


def smile_sources(folder: Path, smiles: Path) -> list[Source]:
    """The persons of a folder of neutral photographs who smile in another one.

    Raises MicroauError where a folder is missing, or nobody smiles in it.
    """
    _photographs(smiles)
    found = [(f, smile_of(f, smiles)) for f in _photographs(folder)]
    pairs = [(neutral, smiling) for neutral, smiling in found if smiling is not None]
    if not pairs:
        raise MicroauError(
            f"{smiles}: no name begins as one in {folder} does, as in 001_neutral, 001_smile."
        )
    return [Source(f"{SMILE}/{first.stem}", partial(posed_smile, first, second)) for first, second in pairs]


def face3d_sources(path: Path, count: int) -> list[Source]:
    """Identities of the 3D face, always the same for the same numbers."""
    _studio(path)  # a missing file is told at once
    return [Source(f"face3d/ict{number:03d}", partial(_identity, path, number)) for number in range(count)]


def sparse_sources(folder: Path) -> list[Source]:
    """The photographs again, moved by a few landmarks."""
    names = [source.name.partition("/")[2] for source in photo_sources(folder)]
    return [Source(f"sparse/{name}", partial(_sparse, folder, name), DERIVED) for name in names]


def mixed_sources(folder: Path, path: Path, count: int) -> list[Source]:
    """Photographs moved by the shapes of identities that stand on the same side of the split."""
    photos = split(source.name for source in photo_sources(folder))
    models = split(source.name for source in face3d_sources(path, count))
    pairs = [
        (_bare(photo), _bare(model))
        for part in ("train", "validation", "test")
        for photo, model in zip(getattr(photos, part), getattr(models, part), strict=False)
    ]
    return [
        Source(f"mixed/{photo}+{model}", partial(_mixed, folder, photo, path, int(model[3:])), DERIVED)
        for photo, model in pairs
    ]


def all_sources(
    photos: Path, face3d: Path | None, identities: int, smiles: Path | None = None
) -> list[Source]:
    """Every way that the material allows."""
    sources = photo_sources(photos) + sparse_sources(photos)
    if smiles is not None:
        sources += smile_sources(photos, smiles)
    if face3d is not None:
        sources += face3d_sources(face3d, identities) + mixed_sources(photos, face3d, identities)
    return sources


def geometry(name: str) -> str:
    """'photo', 'face3d', 'mixed', 'sparse' or 'smile': how the face of this person moves."""
    return name.partition("/")[0]


def only(sources: Sequence[Source], *kinds: str) -> list[Source]:
    """The sources of these ways to move."""
    return [source for source in sources if geometry(source.name) in kinds]


def _bare(name: str) -> str:
    return name.partition("/")[2]


def _photographs(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise MicroauError(f"{folder}: no such folder. Give a folder of photographs, one face each.")
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in PHOTO_ENDINGS)


def _photo(folder: Path, stem: str) -> Person:
    return photo_people(folder, [stem])[0]


def _identity(path: Path, number: int) -> Person:
    return _studio(path).person(number, 0)


def _sparse(folder: Path, stem: str) -> Person:
    return sparse_motion(_photo(folder, stem))


def _mixed(folder: Path, stem: str, path: Path, number: int) -> Person:
    return sculpted_motion(_photo(folder, stem), _identity(path, number))


@lru_cache(maxsize=1)
def _studio(path: Path) -> Studio:
    return Studio(load_ict(path))
