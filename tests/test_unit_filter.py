"""Units against noise: the sum's standard deviation is 1, and many weak regions make a strong sum."""

import numpy as np
import pytest

from microau.engine.regions import NAMES as REGIONS
from microau.stream.joint_noise import JointNoise
from microau.stream.unit_filter import MEMBERS, NAMES, PATTERNS, UnitFilter

RNG = np.random.default_rng(0)
NOISE = RNG.uniform(0.05, 0.4, (2, len(REGIONS))).astype(np.float32)


@pytest.fixture
def bank():
    units = UnitFilter(2)
    units.weigh(JointNoise(2).precision(NOISE))
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
    units.weigh(JointNoise(1).precision(np.full((1, len(REGIONS)), 0.1, np.float32)))
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


def test_the_lids_take_part_in_their_own_units_alone():
    lids = [k for k, name in enumerate(REGIONS) if "lid" in name]
    assert not PATTERNS[MEMBERS["face"]][:, lids].any()
    assert PATTERNS[MEMBERS["eyes"]][:, lids].any(axis=(1, 2)).all()
    assert "5" not in NAMES
    assert {"5L lids", "5 lids", "7R lids"} <= set(NAMES)


def test_what_is_usual_is_learned_anew_where_the_noise_becomes_known():
    """Noise of three times what was assumed: by the first weights sums are three times as large."""
    pulses = (0.45 * RNG.normal(size=(2, 60, 2 * len(REGIONS)))).astype(np.float32)
    units = UnitFilter(2)
    units.weigh(JointNoise(2).precision(np.full((2, len(REGIONS)), 0.15, np.float32)))
    for k, one in enumerate(pulses.transpose(1, 0, 2)):
        units.learn(0.025 * k, units(one))
    units.weigh(JointNoise(2).precision(np.full((2, len(REGIONS)), 0.45, np.float32)))
    usual = []
    for again in (False, True):
        if again:
            units.begin_again(pulses)
        sums = np.stack([units.standing_out(units(one)) for one in pulses.transpose(1, 0, 2)])
        usual.append(float(np.median(np.abs(sums)) / 0.6745))
    assert usual[0] < 0.5
    assert usual[1] == pytest.approx(0.95, abs=0.1)
