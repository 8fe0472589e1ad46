"""From crops to words: decisions, sides, emotion and the movement of named points."""

import dataclasses

import numpy as np
import pytest

from microau.engine.aus import UNITS
from microau.engine.bundle import read_bundle
from microau.engine.describe import Describer, decide, decide_emotion, read_outputs
from microau.engine.errors import MicroauError
from microau.engine.explain import LEAST, measure, shifts
from microau.engine.facial_flow import RUNTIME
from microau.engine.landmarks import CANONICAL
from microau.engine.registration import CROP, CROP_OED, EYE_ROW, LEFT_EYE, RIGHT_EYE


@pytest.fixture(scope="module")
def points():
    """The average face, as it lies in the crop."""
    face = np.concatenate([np.asarray(CANONICAL, np.float64), np.zeros((10, 3))]) * (1, -1, -1)
    eyes = face[[RIGHT_EYE, LEFT_EYE]]
    face = (face - eyes.mean(axis=0)) * CROP_OED / np.linalg.norm(eyes[1] - eyes[0])
    return (face + np.array([CROP / 2, EYE_ROW, 0])).astype(np.float32)


def flow_of(points, au, percent, side=None):
    """Each point that the unit moves, moved by a share of its prediction; elsewhere still."""
    flow = np.zeros((CROP, CROP, 2), np.float32)
    moves = UNITS[au].predicted()
    longest = max(np.hypot(*move) for move in moves.values())
    for point, move in moves.items():
        x, y = np.rint(points[point, :2]).astype(int)
        if side is None or (x > CROP / 2) == (side == "L"):
            flow[y - 4 : y + 5, x - 4 : x + 5] = np.array(move) / longest * percent * CROP_OED / 100
    return flow


def test_a_smile_is_told_as_mouth_corners_that_go_where_au12_takes_them(points):
    told = shifts(flow_of(points, 12, 2.0), points, [12])
    assert {entry.place for entry in told[:2]} == {"left mouth corner", "right mouth corner"}
    for entry in told[:2]:
        assert entry.predicted_by == "AU12"
        assert entry.agreement == pytest.approx(1, abs=1e-3)
        assert entry.length == pytest.approx(2.0, abs=0.15)
        assert entry.shift[1] < 0
    by_place = {entry.place: entry.shift for entry in told}
    assert by_place["left mouth corner"][0] > 0 > by_place["right mouth corner"][0]


def test_the_subjects_left_is_on_the_pictures_right(points):
    told = shifts(flow_of(points, 12, 2.0, side="L"), points, [12])
    assert {entry.place for entry in told} == {"left mouth corner"}


def test_of_several_units_the_one_that_fits_is_named(points):
    told = shifts(flow_of(points, 15, 2.0), points, [12, 15])
    assert {entry.predicted_by for entry in told if "corner" in entry.place} == {"AU15"}


def test_what_no_decided_unit_predicts_is_told_without_one(points):
    told = shifts(flow_of(points, 12, 2.0), points, [4])
    assert {entry.predicted_by for entry in told} == {""}
    assert {entry.agreement for entry in told} == {0.0}


def test_a_face_at_rest_has_nothing_to_tell(points):
    noise = np.random.default_rng(0).normal(0, LEAST / 3, (CROP, CROP, 2)).astype(np.float32)
    assert shifts(noise, points, [12]) == ()


def test_points_outside_the_crop_do_not_move(points):
    flow = np.full((CROP, CROP, 2), 3.0, np.float32)
    assert shifts(flow, points + np.float32(500), []) == ()


def test_longest_first(points):
    lengths = [entry.length for entry in shifts(flow_of(points, 17, 3.0), points, [17])]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    ("probability", "left", "right", "said"),
    [
        (0.9, 0.9, 0.9, ["12"]),
        (0.9, 0.9, 0.1, ["L12"]),
        (0.9, 0.1, 0.9, ["R12"]),
        (0.9, 0.1, 0.1, ["12"]),
        (0.49, 0.9, 0.9, []),
    ],
)
def test_a_side_is_named_where_one_side_alone_moved(tiny_bundle, probability, left, right, said):
    units = [u for u in read_bundle(tiny_bundle).units if u.au == 12]
    found = decide(units, np.array([probability]), np.array([[left, right]]))
    assert [str(unit) for unit in found] == said


def test_a_unit_without_sides_never_has_one(tiny_bundle):
    units = [u for u in read_bundle(tiny_bundle).units if u.au == 17]
    assert [str(u) for u in decide(units, np.array([0.9]), np.array([[0.9, 0.1]]))] == ["17"]


@pytest.mark.parametrize(
    ("positive", "negative", "present", "named"),
    [
        (0.5, 0.2, {12}, "positive"),
        (0.2, 0.5, {4, 12}, "negative"),
        (0.5, 0.495, {4, 12}, "other"),  # as good as each other
        (0.5, 0.2, {17}, "other"),  # no class stands for a raised chin alone
        (0.5, 0.2, {4}, "other"),  # the text says smile, the decided units do not
        (0.5, 0.2, set(), "other"),
    ],
)
def test_an_emotion_needs_its_units_and_a_lead(tiny_bundle, positive, negative, present, named):
    scores = {"positive": positive, "negative": negative, "other": 0.9}
    assert decide_emotion(scores, read_bundle(tiny_bundle), present) == named


def test_nothing_decided_is_other_whatever_the_text_says(tiny_bundle, points):
    bundle = read_bundle(tiny_bundle)
    row = {
        "probability": np.zeros(4),
        "side_probability": np.zeros((4, 2)),
        "emotion": np.array([0.9, 0.0, 0.0, 0.1][: len(bundle.emotions)]),
        "attention": np.zeros((4, 30)),
        "dependency": np.full(4, 0.25),
        "moved": measure(np.zeros((CROP, CROP, 2), np.float32), points),
    }
    result = read_outputs(bundle, row)
    assert (result.present, result.emotion, result.amplitude) == ((), "other", 0.0)
    assert result.emotion_score == result.emotion_scores["other"]


def test_a_described_pair_has_every_unit_and_its_attention(tiny_bundle, points):
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 200, (CROP, CROP)).astype(np.uint8)
    with Describer(tiny_bundle) as describer:
        result = describer.describe(picture, picture, points)
    assert list(result.probabilities) == ["AU04", "AU12", "AU17", "AU25"]
    assert list(result.sides) == ["AU04", "AU12"]
    for au, weights in result.attention.items():
        unit = UNITS[int(au[2:])]
        assert set(weights) == {*unit.right, *unit.left, *unit.middle}
        assert sum(weights.values()) == pytest.approx(1, abs=1e-4)


def test_flows_in_one_batch_are_described_as_one_by_one(tiny_bundle, points):
    flows = [flow_of(points, au, 2.0) for au in (4, 12, 17)]
    with Describer(tiny_bundle) as describer:
        together = describer.describe_flows(flows, [points] * 3)
        alone = [describer.describe_flows([flow], [points])[0] for flow in flows]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(
            list(one.probabilities.values()), list(other.probabilities.values()), atol=1e-5
        )
        assert one.shifts == other.shifts


def test_a_model_of_another_flow_is_refused(tiny_bundle, monkeypatch):
    monkeypatch.setattr("microau.engine.chain.RUNTIME", dataclasses.replace(RUNTIME, algorithm="another"))
    with pytest.raises(MicroauError, match="trained on flow with algorithm"):
        Describer(tiny_bundle)
