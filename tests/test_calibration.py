"""Temperatures and thresholds: known answers, and independence from what must not matter."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from microau.training.calibration import (
    AS_GOOD,
    CALM,
    NEVER,
    QUIET,
    expected_calibration_error,
    f1,
    hush,
    margin,
    sigmoid,
    temperature,
    threshold,
)

NONE_STILL = np.zeros(4000, bool)


@pytest.fixture
def honest():
    """Log-odds and labels drawn from them."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    return logits, (rng.random(4000) < sigmoid(logits)).astype(int)


@pytest.mark.parametrize("boast", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_a_known_boast(honest, boast):
    logits, labels = honest
    assert temperature(logits * boast, labels) == pytest.approx(boast, rel=0.1)


def test_calibrated_probabilities_come_true(honest):
    logits, labels = honest
    assert expected_calibration_error(sigmoid(logits), labels) < 0.03
    assert expected_calibration_error(sigmoid(4 * logits), labels) > 0.1


def test_the_threshold_is_as_good_as_the_best_of_all(honest):
    logits, labels = honest
    probability = sigmoid(logits)
    best = max(f1_score(labels, probability >= t) for t in np.linspace(0.1, 0.9, 81))
    chosen = threshold(probability, labels, NONE_STILL)
    assert best - AS_GOOD <= f1_score(labels, probability >= chosen) <= best
    assert f1(probability >= chosen, labels == 1) == pytest.approx(f1_score(labels, probability >= chosen))


def test_a_single_sample_does_not_draw_the_threshold_to_itself():
    probability = np.array([0.1] * 100 + [0.15] + [0.9] * 99)  # one that moves is told from none by a hair
    labels = np.repeat([0, 1], 100)
    assert threshold(probability, labels, np.zeros(200, bool)) == pytest.approx(0.5, abs=0.02)


def test_a_gap_is_cut_in_its_middle():
    probability = np.array([0.1] * 50 + [0.9] * 50)
    labels = np.repeat([0, 1], 50)
    assert threshold(probability, labels, np.zeros(100, bool)) == pytest.approx(0.5, abs=0.02)


def test_the_margin_parts_one_sided_from_two_sided():
    rng = np.random.default_rng(0)
    two = rng.normal(4, 0.5, (200, 2))
    left, right = two[:100] - (0, 6), two[100:] - (6, 0)
    odds = np.concatenate([two, left, right])
    labels = np.array([[1, 1]] * 200 + [[1, 0]] * 100 + [[0, 1]] * 100)
    assert margin(odds, labels) == pytest.approx(3.5, abs=1)
    wrong = margin(odds, labels[:, ::-1])
    assert wrong > 7  # the sides are mixed up: better to name none


def test_without_one_sided_examples_no_side_is_ever_named():
    assert margin(np.array([[9.0, -9.0]]), np.array([[1, 1]])) == NEVER


def test_still_pairs_are_left_alone_even_at_the_price_of_f1(honest):
    logits, labels = honest
    still = np.zeros(4000, bool)
    quiet = np.flatnonzero((labels == 0) & (logits < 1.5))
    still[quiet[:1000]] = True
    probability = sigmoid(logits)
    free, bound = threshold(probability, labels, NONE_STILL), threshold(probability, labels, still)
    assert (probability[still] >= free).mean() > QUIET
    assert (probability[still] >= bound).mean() <= QUIET


def test_the_units_that_speak_most_are_raised_until_the_noisiest_kind_is_calm():
    rng = np.random.default_rng(3)
    kind = np.repeat([0, 1], 500)
    odds = rng.normal(-3, 1, (1000, 6)) + kind[:, None]  # the second kind is noisier
    odds[:, 0] -= 6  # a unit that never speaks
    still = np.ones(1000, bool)
    first = np.full(6, 0.2)
    raised = hush(first, sigmoid(odds), still, kind)
    speaks = (sigmoid(odds) >= raised).any(axis=1)
    assert speaks[kind == 0].mean() <= speaks[kind == 1].mean() <= CALM
    assert raised[0] == pytest.approx(0.2)
    assert (raised[1:] > 0.5).all()
    just_less = sigmoid(np.log(raised / (1 - raised)) - 0.11)
    assert (sigmoid(odds) >= just_less).any(axis=1)[kind == 1].mean() > CALM


def test_calm_thresholds_stay():
    quiet = np.full((50, 2), 0.01)
    np.testing.assert_allclose(
        hush(np.array([0.3, 0.6]), quiet, np.ones(50, bool), np.zeros(50, int)), [0.3, 0.6]
    )
    np.testing.assert_allclose(
        hush(np.array([0.3]), quiet[:, :1], np.zeros(50, bool), np.zeros(50, int)), [0.3]
    )
