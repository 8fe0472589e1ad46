"""Training pairs: the labels say what moved between the crops, the crops are the runtime's."""

import numpy as np
import pytest
from faces_to_move import astronaut, sculpted

from microau.engine.registration import CROP_OED, EYE_ROW
from microau.training.generate.fields import Style
from microau.training.generate.people import sculpted_motion
from microau.training.generate.samples import AUS, PairConfig, amplitudes, pairs

CALM = PairConfig(
    blink=0,
    speech=0,
    gaze=0,
    residual=0,
    still=0,
    early=0,
    compressed=0,
    shaded=0,
    amplitude=(2.0, 4.0),
    sizes=(112.0,),
)


def made(n, config=None, seed=0, people=None):
    return list(pairs(np.random.default_rng(seed), people or [astronaut()], n, config))


def test_the_same_seed_gives_the_same_pairs():
    for one, other in zip(made(3), made(3), strict=True):
        np.testing.assert_array_equal(one.onset, other.onset)
        np.testing.assert_array_equal(one.apex, other.apex)
        np.testing.assert_array_equal(one.amplitudes, other.amplitudes)
    assert not np.array_equal(made(1)[0].onset, made(1, seed=1)[0].onset)


def test_the_crop_is_the_runtimes():
    """Level eye line in its row, eyes as far apart as `engine.registration` says."""
    for pair in made(4):
        right, left = pair.points[33, :2], pair.points[263, :2]
        assert pair.onset.shape == pair.apex.shape == (224, 224)
        assert np.linalg.norm(left - right) == pytest.approx(CROP_OED, abs=0.01)
        assert right[1] == pytest.approx(EYE_ROW, abs=0.01)
        assert left[1] == pytest.approx(EYE_ROW, abs=0.01)


def test_the_label_is_the_largest_shift():
    """One unit on one side: its amplitude is how far its most moved landmark went."""
    seen = 0
    for pair in made(20, CALM):
        lone = np.flatnonzero(pair.amplitudes.ravel())
        if len(lone) == 1 and pair.amplitudes.max() > 0:
            seen += 1
            assert np.linalg.norm(pair.shifts, axis=1).max() == pytest.approx(
                pair.amplitudes.max(), rel=1e-3
            )
    assert seen


def test_the_crops_differ_where_the_truth_says():
    """Pictures change most near the points that moved most."""
    for pair in made(8, CALM, seed=2):
        size = np.linalg.norm(pair.shifts, axis=1)
        change = np.abs(pair.apex.astype(float) - pair.onset)
        at = np.clip(np.rint(pair.points[:468, :2]).astype(int), 0, 223)
        there = change[at[:, 1], at[:, 0]]
        assert there[size > 0.5 * size.max()].mean() > 1.4 * there[size < 0.02 * size.max()].mean()


def test_pairs_without_expression_have_no_label():
    for pair in made(6, PairConfig(still=1.0)):
        assert not pair.amplitudes.any()
        assert not pair.shifts.any()


def test_head_motion_is_no_expression():
    config = PairConfig(still=1.0, blink=0, speech=0, gaze=0, residual=6.0)
    moved = [
        np.abs(p.apex.astype(float) - p.onset).mean() for p in made(10, config) if p.nuisance["head"] > 2
    ]
    assert moved
    assert min(moved) > 1


def test_every_unit_and_side_turns_up():
    table = np.sum([p.amplitudes > 0 for p in made(250, PairConfig(sizes=(40.0,)))], axis=0)
    assert (table > 0).all()


def test_channels_become_rows():
    table = amplitudes({"12L": 2.0, "17": 1.5})
    assert table[AUS.index(12)].tolist() == [2.0, 0.0]
    assert table[AUS.index(17)].tolist() == [1.5, 1.5]


def test_the_3d_face_gives_pairs_too(media):
    pair = made(1, CALM, people=sculpted(media))[0]
    assert pair.geometry == "face3d"
    assert pair.onset.std() > 10
    assert pair.amplitudes.any()


def test_a_photograph_can_move_as_the_3d_face_does(media):
    """Real skin, sculpted motion: the shifts are the model's, not the anatomical fields'."""
    model = sculpted(media)[0]
    mixed = sculpted_motion(astronaut(), model)
    face, shapes = mixed.build(80.0, True), model.build(80.0, True)
    np.testing.assert_allclose(face.fields["12L"], shapes.with_style(Style()).fields["12L"])
    np.testing.assert_array_equal(face.fields["45L"], astronaut().build(80.0, True).fields["45L"])
    pair = made(1, CALM, people=[mixed])[0]
    assert pair.geometry == "mixed"
    assert pair.amplitudes.any()
