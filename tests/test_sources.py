"""Persons of four ways to move, and on which side of the split each of them stands."""

import numpy as np
import pytest
from skimage.data import astronaut

from microau.engine.aus import UNITS
from microau.engine.errors import MicroauError
from microau.training.generate.fields import Fields, Style
from microau.training.generate.mesh import canonical, mirror
from microau.training.generate.people import face_points, photo_person, sparse_motion
from microau.training.generate.samples import PairConfig, pairs
from microau.training.generate.sparse import CHANNELS, SparseFields, sparse_fields
from microau.training.sources import geometry, photo_sources
from microau.training.splits import origins, split

PHOTOS = [f"photo/p{k}" for k in range(10)]
MODELS = [f"face3d/m{k}" for k in range(10)]


def test_a_face_made_of_others_stands_where_they_stand():
    parts = split(PHOTOS + MODELS)
    side = {name: k for k, part in enumerate((parts.train, parts.validation, parts.test)) for name in part}
    pair = next((p, m) for p in PHOTOS for m in MODELS if side[p] == side[m])
    names = [*PHOTOS, *MODELS, *(f"sparse/{n[6:]}" for n in PHOTOS), f"mixed/{pair[0][6:]}+{pair[1][7:]}"]
    whole = split(names)
    for k, part in enumerate((whole.train, whole.validation, whole.test)):
        assert {side[origin] for name in part for origin in origins(name)} == {k}
    assert sorted([*whole.train, *whole.validation, *whole.test]) == sorted(names)


def test_the_split_of_the_persons_does_not_depend_on_faces_made_of_them():
    alone, beside = split(PHOTOS), split([*PHOTOS, "sparse/p3", "sparse/p7"])
    assert [n for n in beside.test if geometry(n) == "photo"] == list(alone.test)


def test_a_face_made_across_the_split_is_refused():
    parts = split(PHOTOS + MODELS)
    photo = next(n for n in parts.train if geometry(n) == "photo")
    model = next(n for n in parts.test if geometry(n) == "face3d")
    with pytest.raises(MicroauError, match="different sides"):
        split([*PHOTOS, *MODELS, f"mixed/{photo[6:]}+{model[7:]}"])


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(MicroauError, match="no such folder"):
        photo_sources(tmp_path / "none")


@pytest.mark.parametrize("name", CHANNELS)
def test_sparse_fields_move_the_tables_points_the_tables_way(name):
    field = SparseFields(9.0, Style())[name]
    assert np.linalg.norm(field[:, :2], axis=1).max() == pytest.approx(1)
    unit = UNITS[int(name.strip("LR"))]
    wanted = unit.predicted()
    points = [p for p in wanted if name[-1] not in "LR" or (canonical()[p, 0] > 0) == (name[-1] == "L")]
    moves, got = np.array([wanted[p] for p in points]), field[points, :2]
    cosine = (moves * got).sum() / np.linalg.norm(moves) / np.linalg.norm(got)
    assert cosine > 0.75  # lids that move against each other average out between them


def test_left_is_the_mirror_image_of_right():
    fields = SparseFields(12.0, Style())
    np.testing.assert_allclose(fields["12L"], fields["12R"][mirror()] * (-1, 1, 1), atol=0.02)


def test_persons_differ_and_stay_themselves():
    one, two = (Style.random(np.random.default_rng(seed)) for seed in (1, 2))
    np.testing.assert_array_equal(sparse_fields(one)["4L"], sparse_fields(one)["4L"])
    assert np.abs(sparse_fields(one)["4L"] - sparse_fields(two)["4L"]).max() > 0.02


def test_it_is_another_way_to_move_than_the_anatomy():
    """Alike in kind, so that the unit can be named; not the same field."""
    cosines = []
    for name in CHANNELS:
        one, other = SparseFields(12.0, Style())[name][:, :2], Fields()[name][:, :2]
        cosines.append((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))
    assert np.median(cosines) > 0.6
    assert np.median(cosines) < 0.97


def test_speech_and_blinks_are_there_too():
    """The table knows no mouth shapes of speech: those come from the anatomy."""
    photo = astronaut()
    face = sparse_motion(photo_person("astronaut", photo, face_points(photo, "astronaut"))).build(
        80.0, True
    )
    assert {"18", "16L", "45R", "12L"} <= set(face.fields)
    assert np.linalg.norm(face.fields["18"][:, :2], axis=1).max() == pytest.approx(1)
    with pytest.raises(KeyError):
        face.fields["99"]


def test_a_photograph_moves_and_is_labelled():
    photo = astronaut()
    person = sparse_motion(photo_person("astronaut", photo, face_points(photo, "astronaut")))
    (pair,) = pairs(np.random.default_rng(4), [person], 1, PairConfig(still=0.0, speech=0.0))
    assert pair.geometry == "sparse"
    assert pair.amplitudes.max() > 0.5
    assert np.abs(pair.onset.astype(int) - pair.apex).max() > 10
