"""The scorer's file and its arithmetic, against a plain walk through the trees."""

import json
import math

import numpy as np
import pytest

from microau.engine.errors import MicroauError
from microau.engine.scorer import DEFAULT, Scorer, load_scorer, read_scorer
from microau.stream.features import FEATURES

RNG = np.random.default_rng(0)
NAMES = ("a", "b", "c")


@pytest.fixture
def scorer():
    """Five trees of depth three."""
    threshold = RNG.normal(size=(5, 7))
    threshold[2, 1] = np.inf
    return Scorer(NAMES, RNG.integers(0, 3, (5, 7)), threshold, RNG.normal(size=(5, 8)), 0.3, {"clips": 3})


def by_hand(scorer, values):
    logit = scorer.bias
    for feature, threshold, leaf in zip(scorer.feature, scorer.threshold, scorer.leaf, strict=True):
        node = 0
        for _ in range(3):
            node = 2 * node + (2 if values[feature[node]] > threshold[node] else 1)
        logit += leaf[node - 7]
    return 1 / (1 + math.exp(-logit))


def test_agrees_with_a_plain_walk(scorer):
    rows = RNG.normal(0, 2, (40, 3))
    for row, together in zip(rows, scorer.probabilities(rows), strict=True):
        assert scorer(dict(zip(NAMES, row, strict=True))) == pytest.approx(by_hand(scorer, row), rel=1e-9)
        assert together == pytest.approx(by_hand(scorer, row), rel=1e-9)
    assert scorer.probabilities(np.zeros((0, 3))).shape == (0,)


def test_order_of_the_features_is_the_file_s(scorer):
    assert scorer({"c": 0.3, "a": 1.0, "b": -2.0}) == scorer({"a": 1.0, "b": -2.0, "c": 0.3})


def test_what_is_odd_beyond_measure_changes_nothing_more(scorer):
    assert scorer({"a": 30.0, "b": 0, "c": 0}) == scorer({"a": 1e9, "b": 0, "c": 0})


def test_the_file_reads_back_the_same(scorer):
    again = read_scorer(scorer.to_json(), "test")
    rows = RNG.normal(size=(50, 3))
    np.testing.assert_allclose(again.probabilities(rows), scorer.probabilities(rows), atol=1e-4)
    assert (again.names, again.about) == (NAMES, {"clips": 3})


def spoilt(scorer, **parts):
    record = json.loads(scorer.to_json())
    record["trees"][0] |= parts
    return json.dumps(record)


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1}', '{"format": 2, "names": 3}', "[]", "null"])
def test_what_is_no_scorer_is_refused(text):
    with pytest.raises(MicroauError, match=r"x\.json"):
        read_scorer(text, "x.json")


@pytest.mark.parametrize(
    "parts",
    [{"feature": [0, 1, 3, 0, 0, 0, 0]}, {"feature": [0, 1, -1, 0, 0, 0, 0]}, {"leaf": [0.0] * 7},
     {"threshold": [0.0] * 6}, {"leaf": ["x"] * 8}, {"leaf": [None] * 8}, {"leaf": [float("nan")] * 8},
     {"feature": [0, 1, 2.7, 0, 0, 0, 0]}, {"threshold": [float("nan")] * 7}],
)  # fmt: skip
def test_trees_that_do_not_hold_together_are_refused(scorer, parts):
    with pytest.raises(MicroauError, match="is no scorer"):
        read_scorer(spoilt(scorer, **parts), "x.json")


def test_trees_of_an_odd_size_are_refused(scorer):
    record = json.loads(scorer.to_json())
    record["trees"] = [{"feature": [0, 0], "threshold": [0, 0], "leaf": [0, 0, 0]}]
    with pytest.raises(MicroauError, match="not whole"):
        read_scorer(json.dumps(record), "x.json")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(MicroauError, match="Give a scorer"):
        load_scorer(tmp_path / "none.json")


def test_the_shipped_one_asks_for_what_is_measured():
    shipped = load_scorer(DEFAULT)
    assert set(shipped.names) <= set(FEATURES)
    assert DEFAULT.stat().st_size < 400_000


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\x08\x0a\xff\xfe")
    with pytest.raises(MicroauError, match=r"model\.onnx: is no text"):
        load_scorer(tmp_path / "model.onnx")
