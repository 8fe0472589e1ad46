"""The 3D face: sides, amplitudes and points as in the photographs."""

import numpy as np
import pytest
from faces_to_move import sculpted

from microau.engine.errors import MicroauError
from microau.engine.faces import find_faces
from microau.engine.landmarks import N_MESH
from microau.engine.records import Picture
from microau.training.generate.anatomy import CHANNELS
from microau.training.generate.fields import Fields
from microau.training.generate.ict import load_ict
from microau.training.generate.state import REST, Head, State

SIZE = (360, 420)


@pytest.fixture(scope="module")
def person(media):
    return sculpted(media)[0]


@pytest.fixture(scope="module")
def face(person):
    return person.build(120.0, False)


def test_amplitude_is_the_most_moved_landmark(face):
    for name in CHANNELS:
        assert np.linalg.norm(face.fields[name][:, :2], axis=1).max() == pytest.approx(1)


def test_it_moves_as_the_anatomical_fields_do(face):
    """Two descriptions of the same muscles, made independently: every unit is most like itself."""
    names = [n for n in CHANNELS if not n.endswith("R") and n not in ("14L", "23", "24", "16L")]

    def table(fields):
        return np.array([(fields[n][:, :2] / np.linalg.norm(fields[n][:, :2])).ravel() for n in names])

    likeness = table(Fields()) @ table(face.fields).T
    assert (np.argmax(likeness, axis=1) == np.arange(len(names))).all()
    assert np.diag(likeness).min() > 0.5


def test_left_is_the_subjects_left(face):
    matrix = face.frame(SIZE)
    before = face.landmarks(REST, matrix)[:N_MESH]
    moved = np.linalg.norm(face.landmarks(State({"12L": 4.0}), matrix)[:N_MESH] - before, axis=1)
    middle = before[1, 0]
    assert moved[before[:, 0] > middle + 20].sum() > 4 * moved[before[:, 0] < middle - 20].sum()


def test_the_face_points_are_found_where_the_truth_has_them(face):
    """Oracle: the runtime's own face model on another identity than the one the points were bound on."""
    matrix = face.frame(SIZE)
    picture = np.clip(face.render(REST, matrix, SIZE), 0, 255).astype(np.uint8)
    found = find_faces(Picture.from_rgb(picture))[0].points[:N_MESH, :2]
    true = face.landmarks(REST, matrix)[:N_MESH, :2]
    assert np.median(np.linalg.norm(found - true, axis=1)) < 0.04 * 120


def test_the_head_turns_as_the_record_says(face):
    matrix = face.frame(SIZE)
    rest = face.landmarks(REST, matrix)
    assert (face.landmarks(State(head=Head(yaw=6)), matrix) - rest)[1, 0] > 3
    assert (face.landmarks(State(head=Head(pitch=6)), matrix) - rest)[1, 1] < -3
    assert (face.landmarks(State(head=Head(roll=6)), matrix) - rest)[10, 0] > 3


def test_a_blink_covers_the_irises(face):
    matrix = face.frame(SIZE)
    x, y = np.rint(face.landmarks(REST, matrix)[473, :2]).astype(int)
    window = np.s_[y - 2 : y + 3, x - 2 : x + 3]
    before, after = (face.render(s, matrix, SIZE)[window].mean() for s in (REST, State(closure=1.0)))
    assert after > before + 15


def test_identities_differ_and_are_kept(media):
    one, two = (p.build(80.0, True) for p in sculpted(media))
    assert np.abs(one.vertices - two.vertices).max() > 0.1
    matrix = one.frame(SIZE)
    again = sculpted(media)[0].build(80.0, True)
    np.testing.assert_array_equal(one.render(REST, matrix, SIZE), again.render(REST, matrix, SIZE))


def test_another_file_is_refused_in_one_line(tmp_path):
    wrong = tmp_path / "face.npz"
    np.savez(wrong, neutral=np.zeros((3, 3)))
    for path in (wrong, tmp_path / "none.npz"):
        with pytest.raises(MicroauError, match=path.name):
            load_ict(path)
