"""Movements put into motion records: as large, as long and where the truth says, the noise untouched."""

import numpy as np
import pytest
from motions import motions

from microau.engine.regions import NAMES
from microau.training.generate.fields import Fields
from microau.training.inject import acted, is_still, region_shift

TIME = np.arange(0, 6, 0.01)


@pytest.fixture(scope="module")
def fields():
    return Fields()


def test_a_smile_moves_the_mouth_and_not_the_brows(fields):
    shift = region_shift(fields, {"12L": 3.0})
    corner, other = (shift[NAMES.index(f"{side} mouth corner")] for side in ("left", "right"))
    assert corner[0] > 0.5
    assert corner[1] < -0.8
    assert np.hypot(*other) < 0.3 * np.hypot(*corner)
    assert np.hypot(*shift[NAMES.index("right middle brow")]) < 0.3


def test_what_is_added_is_what_the_truth_says(fields):
    """Between the movements nothing changes; in each, the shift grows up to its apex."""
    still = motions(TIME, [], noise=0.05)
    before = np.stack([m.shift for m in still])
    for seed in range(6):
        records, truth = acted(still, {"fps": 100.0}, fields, np.random.default_rng(seed))
        added = np.hypot(*np.moveaxis(np.stack([m.shift for m in records]) - before, -1, 0)).max(axis=1)
        busy = np.zeros(len(TIME), bool)
        for span in [*truth["events"], *truth["confounds"]]:
            busy |= (span["onset_s"] <= TIME) & (span["offset_s"] >= TIME)
        assert added[~busy].max(initial=0) < 1e-5
        for event in truth["events"]:
            inside = (event["onset_s"] <= TIME) & (event["offset_s"] >= TIME)
            assert 0.25 * event["amplitude"] < added[inside].max() <= 1.25 * event["amplitude"]


def test_the_same_seed_gives_the_same(fields):
    still = motions(TIME, [])
    one, two = (acted(still, {}, fields, np.random.default_rng(3)) for _ in range(2))
    assert one[1] == two[1]
    assert all((a.shift == b.shift).all() for a, b in zip(one[0], two[0], strict=True))


def test_only_still_records_are_acted_in():
    assert is_still({"events": [], "confounds": [{"kind": "blink"}]})
    assert not is_still({"events": [{"kind": "micro"}]})
    assert not is_still({"confounds": [{"kind": "speech", "onset_s": 1, "offset_s": 2}]})
