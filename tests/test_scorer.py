"""The scorer's file and its arithmetic, against a plain loop."""

import math

import numpy as np
import pytest

from microau.engine.errors import MicroauError
from microau.engine.scorer import Scorer, load_scorer, read_scorer

RNG = np.random.default_rng(0)
NAMES = ("a", "b", "c")


@pytest.fixture
def scorer():
    layers = ((RNG.normal(size=(4, 3)), RNG.normal(size=4)), (RNG.normal(size=(1, 4)), RNG.normal(size=1)))
    return Scorer(NAMES, np.array([1.0, 0, -1]), np.array([2.0, 1, 0.5]), -3 * np.ones(3), 3 * np.ones(3),
                  layers, {"clips": 3})  # fmt: skip


def by_hand(scorer, values):
    x = [(min(max(v, -3), 3) - c) / s for v, c, s in zip(values, scorer.centre, scorer.scale, strict=True)]
    (w, b), (u, d) = scorer.layers
    hidden = [
        math.tanh(sum(wi * xi for wi, xi in zip(row, x, strict=True)) + bi)
        for row, bi in zip(w, b, strict=True)
    ]
    z = sum(ui * hi for ui, hi in zip(u[0], hidden, strict=True)) + d[0]
    return 1 / (1 + math.exp(-z))


def test_agrees_with_a_plain_loop(scorer):
    for values in RNG.normal(0, 3, (20, 3)):
        assert scorer(dict(zip(NAMES, values, strict=True))) == pytest.approx(
            by_hand(scorer, values), rel=1e-9
        )


def test_order_of_the_features_is_the_file_s(scorer):
    assert scorer({"c": 0.3, "a": 1.0, "b": -2.0}) == scorer({"a": 1.0, "b": -2.0, "c": 0.3})


def test_beyond_what_training_saw_nothing_changes(scorer):
    assert scorer({"a": 3.0, "b": 0, "c": 0}) == scorer({"a": 300.0, "b": 0, "c": 0})


def test_the_file_reads_back_the_same(scorer):
    again = read_scorer(scorer.to_json(), "test")
    rows = RNG.normal(size=(50, 3))
    np.testing.assert_allclose(again.probabilities(rows), scorer.probabilities(rows), atol=1e-4)
    assert again.names == NAMES
    assert again.about == {"clips": 3}


@pytest.mark.parametrize("text", ["", "{}", '{"format": 9}', '{"format": 1, "names": 3}'])
def test_what_is_no_scorer_is_refused(text):
    with pytest.raises(MicroauError, match=r"x\.json"):
        read_scorer(text, "x.json")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MicroauError, match="Give a scorer"):
        load_scorer(tmp_path / "none.json")
