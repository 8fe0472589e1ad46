"""Units against noise: the sum's standard deviation is 1, and many weak regions make a strong sum."""

import numpy as np
import pytest

from microau.engine.regions import NAMES as REGIONS
from microau.stream.unit_filter import NAMES, PATTERNS, UnitFilter

RNG = np.random.default_rng(0)
NOISE = RNG.uniform(0.05, 0.4, (2, len(REGIONS))).astype(np.float32)


@pytest.fixture
def bank():
    units = UnitFilter(2)
    units.weigh(NOISE)
    return units


def test_independent_noise_gives_one_standard_deviation(bank):
    sums = [
        bank((NOISE[..., None] * RNG.normal(size=(2, len(REGIONS), 2))).astype(np.float32))
        for _ in range(3000)
    ]
    np.testing.assert_allclose(np.std(sums, axis=0), 1.0, rtol=0.06)


def test_a_unit_stands_out_by_the_noise_of_all_its_regions(bank):
    """Plain oracle: the square root of the summed squares of shift over noise."""
    for name in ("12", "4", "1+2", "17"):
        t = NAMES.index(name)
        pulses = np.broadcast_to(0.02 * PATTERNS[t], (2, *PATTERNS[t].shape))
        expected = [np.sqrt(((pulses[r] / NOISE[r, :, None]) ** 2).sum()) for r in (0, 1)]
        np.testing.assert_allclose(bank(pulses)[:, t], expected, rtol=1e-4)
        assert (bank(-pulses)[:, t] < 0).all()


def test_what_no_region_shows_all_together_do():
    """Every region moves by 1.5 times its noise, under any threshold."""
    units = UnitFilter(1)
    units.weigh(np.full((1, len(REGIONS)), 0.1, np.float32))
    smile = PATTERNS[NAMES.index("12")]
    pulses = 0.15 * smile / np.hypot(smile[:, 0], smile[:, 1]).max()
    assert units(pulses[None].astype(np.float32))[0, NAMES.index("12")] > 2.5


def test_noise_in_step_is_learned(bank):
    """What a head leaves in every region alike makes sums of many standard deviations."""
    sizes = RNG.normal(size=200).astype(np.float32)
    alike = NOISE[..., None] * np.ones((2, len(REGIONS), 2), np.float32)

    def usual():
        return np.median([np.abs(bank.standing_out(bank(size * alike))).max() for size in sizes])

    before = usual()
    for k, size in enumerate(sizes):
        bank.learn(0.03 * k, bank(size * alike))
    assert before > 2.0
    assert usual() < 0.8


def test_the_lids_take_no_part():
    lids = [k for k, name in enumerate(REGIONS) if "lid" in name]
    assert not PATTERNS[:, lids].any()
    assert "5" not in NAMES
