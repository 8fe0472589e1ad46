"""Two photographs of one person as pairs: what they say of units is used, the rest stays unknown."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from microau.engine.errors import MicroauError
from microau.training.fit import Likeness, Recipe, label
from microau.training.generate.people import face_points, photo_person
from microau.training.generate.posed import (
    ABSENT,
    amplitudes,
    posed_pairs,
    posed_smile,
    smile_of,
)
from microau.training.generate.samples import AUS, PairConfig
from microau.training.generate.state import State
from microau.training.make_samples import Batch, Making, smile_samples
from microau.training.sources import smile_sources

RISE = 7.0
"""Percent OED, of both mouth corners."""
UNKNOWN = sorted(set(AUS) - {12, 25, *ABSENT})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A neutral photograph and one of the same face with AU12, which our own generator moved."""
    root = tmp_path_factory.mktemp("photographs")
    photo = astronaut()
    face = photo_person("astronaut", photo, face_points(photo, "astronaut")).build(150.0, False)
    size = (512, 512)
    for name, units in (("neutral", {}), ("smiling", {"12L": RISE, "12R": RISE})):
        (root / name).mkdir()
        picture = np.clip(face.render(State(units), face.frame(size), size), 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / name / f"eileen_{name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return root / "neutral", root / "smiling"


@pytest.fixture(scope="module")
def posed(folders):
    neutral, smiling = folders
    return posed_smile(neutral / "eileen_neutral.png", smiling / "eileen_smiling.png")


def test_the_lip_corners_are_measured(posed):
    assert 0.35 * RISE < posed.rise < 1.1 * RISE  # the face model draws every mouth towards the usual one
    corners = posed.moved[[61, 291]]
    assert (corners[:, 1] < 0).all(), "both go up"
    assert corners[0, 0] < 0 < corners[1, 0], "and apart"
    steady = np.linalg.norm(posed.moved[[33, 263, 168]], axis=1)
    assert steady.max() < 1.0


def test_what_the_photographs_do_not_say_stays_unknown(posed):
    table = amplitudes(posed)
    assert table[AUS.index(12)] == pytest.approx(posed.rise)
    assert not table[[AUS.index(au) for au in ABSENT]].any()
    assert np.isnan(table[[AUS.index(au) for au in UNKNOWN]]).all()
    sided = np.ones(len(AUS), bool)
    labels, known, _, side_known = label(table[None], sided, Recipe())
    assert labels[0, AUS.index(12)] == 1
    unknown = [AUS.index(au) for au in UNKNOWN]
    assert not known[0, unknown].any()
    assert not side_known[0, unknown].any()


def test_pairs_differ_in_head_and_camera_and_repeat_with_the_seed(posed):
    one, other = (list(posed_pairs(np.random.default_rng(s), posed, 2, PairConfig())) for s in (3, 3))
    assert np.array_equal(one[0].apex, other[0].apex)
    assert not np.array_equal(one[0].apex, one[1].apex)
    eyes = one[0].points[263, :2] - one[0].points[33, :2]
    assert np.hypot(*eyes) == pytest.approx(112, abs=3)
    assert abs(eyes[1]) < 3, "the crop is level"


def test_a_smile_made_smaller_keeps_its_pattern(posed):
    making = replace(Making(), smiles=Batch(6, PairConfig(residual=0.0, compressed=0.0, shaded=0.0)))
    samples = smile_samples("smile/eileen_neutral", posed, making)
    again = smile_samples("smile/eileen_neutral", posed, making)
    assert np.array_equal(samples.flow, again.flow)
    rise = samples.amplitude[:, AUS.index(12), 0]
    assert rise.min() < 0.7 * posed.rise
    assert rise.max() == pytest.approx(posed.rise)
    x, y = (samples.points[0, [61, 291]].mean(axis=0) * samples.flow.shape[1] / 224).astype(int)
    up = -samples.flow[:, y - 3 : y + 4, x - 8 : x + 9, 1].astype(np.float32).mean(axis=(1, 2))
    assert np.corrcoef(up, rise)[0, 1] > 0.8
    assert Likeness.of(samples).leading.tolist() == [AUS.index(12)] * 6


def test_two_faces_that_cannot_be_one_are_refused(posed):
    wrong = replace(posed, after=posed.after * np.float32([1, 2, 1]))
    with pytest.raises(MicroauError, match="not of one person"):
        list(posed_pairs(np.random.default_rng(0), wrong, 1, PairConfig()))


def test_smiles_are_found_by_the_beginning_of_the_name(folders, tmp_path):
    neutral, smiling = folders
    assert smile_of(neutral / "eileen_neutral.png", smiling) == smiling / "eileen_smiling.png"
    assert [source.name for source in smile_sources(neutral, smiling)] == ["smile/eileen_neutral"]
    with pytest.raises(MicroauError, match="no name begins"):
        smile_sources(neutral, tmp_path)
    with pytest.raises(MicroauError, match="no such folder"):
        smile_sources(neutral, tmp_path / "nowhere")
