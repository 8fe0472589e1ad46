"""Actors for the tests of the generator."""

from functools import lru_cache

import numpy as np
import pytest


@lru_cache(maxsize=1)
def astronaut():
    """A person made from scikit-image's photograph."""
    data = pytest.importorskip("skimage.data")
    from microau.training.generate.people import face_points, photo_person

    photo = np.asarray(data.astronaut(), np.uint8)
    return photo_person("astronaut", photo, face_points(photo, "astronaut"))


@lru_cache(maxsize=1)
def _identities(path, n):
    from microau.training.generate.people import ict_people

    return ict_people(path, n, seed=4)


def sculpted(media, n=2):
    """Identities of the 3D face, where its file is there."""
    path = media / "face3d" / "ict_facekit.npz"
    if not path.is_file():
        pytest.skip(f"no 3D face in {path.parent}")
    return _identities(path, n)
