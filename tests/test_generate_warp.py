"""The moved photograph: it moves where the fields say, by how much they say, and nowhere else."""

import cv2
import numpy as np
import pytest
from faces_to_move import astronaut

from microau.engine.faces import find_faces
from microau.engine.landmarks import N_MESH, RIGID
from microau.engine.records import Picture
from microau.training.generate.anatomy import FULL, MIDLINE
from microau.training.generate.state import REST, Head, State

SIZE = (300, 300)
OED = 110.0


@pytest.fixture(scope="module")
def face():
    return astronaut().build(OED, True)


@pytest.fixture(scope="module")
def matrix(face):
    return face.frame(SIZE)


def drawn(face, matrix, state):
    return face.render(state, matrix, SIZE)[:, :, 0]


def shift(face, matrix, state):
    """True displacement of the mesh points on the canvas, (468, 2)."""
    return (face.landmarks(state, matrix) - face.landmarks(REST, matrix))[:N_MESH, :2]


def test_at_rest_it_is_the_photograph(face, matrix):
    """The oracle is OpenCV's own cubic warp of the same texture; eyes and mouth are put together anew."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    photo = cv2.warpAffine(face.texture, matrix, SIZE, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    difference = np.abs(drawn(face, matrix, REST) - photo)
    assert np.percentile(difference, 95) < 1.0
    assert np.median(difference) < 0.2


@pytest.mark.parametrize("units", [{"12L": 2.0, "12R": 2.0}, {"1L": 1.5, "2L": 1.2}, {"17": 2.0}])
def test_optical_flow_sees_what_the_truth_says(face, matrix, units):
    """The oracle is scikit-image's TV-L1. Flow smooths over the still teeth: it gives rather less."""
    registration = pytest.importorskip("skimage.registration")
    pictures = [drawn(face, matrix, state) / 255 for state in (REST, State(units))]
    rows, columns = registration.optical_flow_tvl1(*pictures, attachment=30)
    points = np.rint(face.landmarks(REST, matrix)[:N_MESH, :2]).astype(int)
    true = shift(face, matrix, State(units))
    far = np.linalg.norm(true, axis=1) > 0.5 * np.linalg.norm(true, axis=1).max()
    at = points[far, 1], points[far, 0]
    seen = np.stack([columns[at], rows[at]], axis=1)
    assert (seen * true[far]).sum() / np.linalg.norm(seen) / np.linalg.norm(true[far]) > 0.95
    assert 0.75 < (seen * true[far]).sum() / (true[far] ** 2).sum() < 1.05


def test_movement_is_true_far_below_a_pixel(face, matrix):
    """Twice a movement of 1/100 pixel changes the picture twice as much, in the same places."""
    rest = drawn(face, matrix, REST)
    small, double = (drawn(face, matrix, State({"12L": a, "12R": a})) - rest for a in (0.01, 0.02))
    assert np.corrcoef(small.ravel(), double.ravel())[0, 1] > 0.995
    assert np.linalg.norm(double) / np.linalg.norm(small) == pytest.approx(2, rel=0.05)


def test_nothing_moves_far_from_the_unit(face, matrix):
    changed = np.abs(drawn(face, matrix, State({"12L": 3.0})) - drawn(face, matrix, REST)) > 2
    rows, columns = np.nonzero(changed)
    corner = face.landmarks(REST, matrix)[291, :2]
    assert np.hypot(columns - corner[0], rows - corner[1]).max() < 0.75 * OED


def test_the_eyeball_stays_when_the_lids_move(face, matrix):
    """A raised upper lid uncovers more of the eye; the iris itself is where it was."""
    before, after = (drawn(face, matrix, s) for s in (REST, State({"5L": 3.0, "5R": 3.0})))
    for centre in (468, 473):
        x, y = face.landmarks(REST, matrix)[centre, :2]
        window = np.s_[round(y) - 1 : round(y) + 3, round(x) - 3 : round(x) + 4]
        assert np.abs(after[window] - before[window]).max() < 0.5
    assert np.abs(after - before).max() > 20


def test_a_blink_covers_the_eyes(face, matrix):
    """The pupils' dark gives way to skin."""
    before, after = (drawn(face, matrix, s) for s in (REST, State(closure=1.0)))
    for centre in (468, 473):
        x, y = np.rint(face.landmarks(REST, matrix)[centre, :2]).astype(int)
        assert after[y, x] > before[y, x] + 25


def test_gaze_moves_the_irises_alone(face, matrix):
    moved = face.landmarks(State(gaze=(2.0, 0.0)), matrix) - face.landmarks(REST, matrix)
    np.testing.assert_allclose(moved[468:, 0], 2.0 * OED / 100, atol=0.15)
    assert np.abs(moved[:468]).max() < 1e-4


def test_truth_scales_with_the_amplitude(face, matrix):
    for au in (2, 12, 20):
        names = [f"{au}"] if au in MIDLINE else [f"{au}L", f"{au}R"]
        for amplitude in (1.0, 3.0):
            peak = np.linalg.norm(shift(face, matrix, State(dict.fromkeys(names, amplitude))), axis=1).max()
            assert peak == pytest.approx(amplitude * OED / 100, rel=0.1)


@pytest.mark.parametrize(
    ("head", "point", "way"),
    [
        (Head(yaw=5), 1, (1, 0)),
        (Head(pitch=5), 1, (0, -1)),
        (Head(roll=5), 10, (1, 0)),
        (Head(x=4), 1, (1, 0)),
        (Head(y=4), 1, (0, 1)),
    ],
)
def test_the_head_goes_the_way_it_is_told(face, matrix, head, point, way):
    """The nose's tip or the top of the forehead, as the record's docstring says."""
    moved = (face.landmarks(State(head=head), matrix) - face.landmarks(REST, matrix))[point, :2]
    assert moved @ way > 0.8 * np.linalg.norm(moved)
    assert np.linalg.norm(moved) > 0.02 * OED


def test_a_head_turn_has_depth(face, matrix):
    """The nose goes farther than the cheeks: parallax, which no flat shift has."""
    moved = (face.landmarks(State(head=Head(yaw=4)), matrix) - face.landmarks(REST, matrix))[:, 0]
    assert moved[1] > 1.3 * moved[RIGID].mean()


def test_the_mesh_model_sees_the_smile_and_the_dropped_jaw():
    """An oracle that knows nothing of the fields: face points found again in the moved picture."""
    face = astronaut().build(150.0, False)
    size = (420, 420)
    matrix = face.frame(size)

    def found(state):
        picture = np.clip(face.render(state, matrix, size), 0, 255).astype(np.uint8)
        return find_faces(Picture.from_rgb(picture))[0].points[:, :2]

    smile, jaw = {"12L": FULL[12], "12R": FULL[12]}, {"26": FULL[26]}
    for units, points in ((smile, [61, 291]), (jaw, [14, 17, 152])):
        state = State(units)
        true = (face.landmarks(state, matrix) - face.landmarks(REST, matrix))[points, :2]
        seen = (found(state) - found(REST))[points]
        assert (seen * true).sum() / np.linalg.norm(seen) / np.linalg.norm(true) > 0.9
        assert np.linalg.norm(seen) > 0.25 * np.linalg.norm(true)
