"""Noise of many regions together: measured, cancelled, and not taken for more than it is."""

import numpy as np
import pytest
from motions import motions, pulse

from microau.engine.regions import GROUP_OF, GROUPS, NAMES
from microau.stream.candidates import collect, find_candidates
from microau.stream.joint_noise import CLIP, LOAD, JointNoise, blind_to
from microau.stream.spotting import SpotConfig
from microau.stream.unit_filter import MEMBERS, PATTERNS, UnitFilter
from microau.stream.unit_filter import NAMES as UNITS

K = len(NAMES)
REACHES = 2


def in_step(rng, moments, strength=2.0):
    """(moments, R, K, 2) noise of one standard deviation, and one shift that all regions share."""
    own = rng.normal(size=(moments, REACHES, K, 2))
    return (own + strength * rng.normal(size=(moments, REACHES, 1, 2))).astype(np.float32)


def learned(pulses):
    joint = JointNoise(REACHES)
    for one in pulses:
        joint.push(one)
    return joint


def test_nothing_known_is_independent_noise():
    noise = np.random.default_rng(1).uniform(0.05, 0.4, (REACHES, K)).astype(np.float32)
    expected = np.stack([np.diag(np.repeat(1 / row.astype(float) ** 2, 2)) for row in noise])
    np.testing.assert_allclose(JointNoise(REACHES).precision(noise), expected, rtol=1e-4)


@pytest.mark.parametrize("moments", [3, 60, 700])
def test_it_is_the_inverse_of_the_loaded_covariance(moments):
    """Plain oracle: outer products of the last 480 samples and LOAD of independent noise, in float64."""
    rng = np.random.default_rng(2)
    noise = rng.uniform(0.5, 2.0, (REACHES, K)).astype(np.float32)
    pulses = in_step(rng, moments)
    found = learned(pulses).precision(noise)
    for r in range(REACHES):
        scale = np.repeat(noise[r].astype(float), 2)
        whole = LOAD * np.eye(2 * K)
        for one in pulses[-480:]:
            white = np.clip(one[r].ravel() / scale, -CLIP, CLIP)
            whole += np.outer(white, white)
        covariance = whole / (min(moments, 480) + LOAD) * np.outer(scale, scale)
        np.testing.assert_allclose(found[r], np.linalg.inv(covariance), atol=2e-4 * np.abs(found[r]).max())


def test_what_is_not_looked_at_says_nothing():
    hidden = np.isin(GROUP_OF, [GROUPS.index("eye")])
    whole = learned(in_step(np.random.default_rng(3), 300)).precision(np.ones((REACHES, K), np.float32))
    rows = np.flatnonzero(~np.repeat(hidden, 2))
    found = blind_to(whole, hidden)
    for r in range(REACHES):
        covariance = np.linalg.inv(whole[r].astype(float))
        expected = np.zeros_like(covariance)
        expected[np.ix_(rows, rows)] = np.linalg.inv(covariance[np.ix_(rows, rows)])
        np.testing.assert_allclose(found[r], expected, atol=1e-3)


def test_noise_in_step_is_cancelled_by_the_regions_that_have_no_part():
    """How far a smile stands out of 2000 moments that were not learned from."""
    rng = np.random.default_rng(4)
    smile = PATTERNS[UNITS.index("12")] / np.abs(PATTERNS[UNITS.index("12")]).max()
    fresh = in_step(rng, 2000)
    ratios = []
    whole = np.full((REACHES, K), np.sqrt(5.0), np.float32)  # its own noise, and twice that in step
    for joint in (JointNoise(REACHES), learned(in_step(rng, 480))):
        units = UnitFilter(REACHES)
        units.weigh(joint.precision(whole))
        usual = np.std([units(one)[:, UNITS.index("12")] for one in fresh], axis=0)
        shown = units(np.broadcast_to(smile, (REACHES, K, 2)))[:, UNITS.index("12")]
        ratios.append(shown / usual)
    assert (ratios[1] > 1.3 * ratios[0]).all()


@pytest.mark.parametrize("unit", ["5L lids", "5R lids", "7L lids"])
def test_one_lid_alone_is_a_candidate(unit):
    """One lid on one side: no second region of the eyes stands out beside it."""
    pattern = PATTERNS[MEMBERS["eyes"]][UNITS[MEMBERS["eyes"]].index(unit)]
    moves = {name: tuple(move / np.abs(pattern).max()) for name, move in zip(NAMES, pattern, strict=True)}
    time = np.arange(0, 5, 1 / 200)
    found = find_candidates(motions(time, [(moves, 1.5 * pulse(time, 2.5, 2.64, 2.9))]), SpotConfig())
    assert any(c.peak.channel == "eyes" and abs(c.span.apex - 2.64) < 0.03 for c in found)


def test_a_leap_of_two_regions_hides_no_movement_beside_it():
    """A block of the codec that jumps there and back during a weak smile of many regions."""
    smile = PATTERNS[UNITS.index("12")] / np.abs(PATTERNS[UNITS.index("12")]).max()
    moves = {name: tuple(move) for name, move in zip(NAMES, smile, strict=True)}
    leap = {"right inner brow": (0.0, 1.0), "right middle brow": (0.0, 1.0)}
    time = np.arange(0, 6, 1 / 200)
    courses = [
        (moves, 0.7 * pulse(time, 3.0, 3.14, 3.4)),
        (leap, 1.5 * ((time > 3.1) & (time < 3.25))),
    ]
    found = find_candidates(motions(time, courses, noise=0.1), SpotConfig())
    assert any(abs(c.span.onset - 3.0) < 0.06 and abs(c.span.offset - 3.4) < 0.08 for c in found)


def strength(onset, amplitude, noise, shared, seconds, seed):
    """Standard deviations by which a smile stands out for the running spotter, in noise that all share."""
    time, rng = np.arange(0, seconds, 1 / 200), np.random.default_rng(seed)
    smile = PATTERNS[UNITS.index("12")] / np.abs(PATTERNS[UNITS.index("12")]).max()
    acts = [(smile, amplitude * pulse(time, onset, onset + 0.14, onset + 0.4))]
    acts += [
        (np.tile(axis, (K, 1)), shared * rng.normal(size=len(time))) for axis in ((1.0, 0.0), (0.0, 1.0))
    ]
    courses = [({n: tuple(m) for n, m in zip(NAMES, moves, strict=True)}, c) for moves, c in acts]
    found = collect(motions(time, courses, noise=noise, seed=seed), SpotConfig(min_amplitude=0.1))
    near = [c.peak.units for c in found.candidates if abs(c.span.apex - onset - 0.14) < 0.05]
    return max(near, default=0.0)


def test_the_spotter_learns_the_noise_in_step():
    """Region by region the same smile has 9 to 12 standard deviations."""
    assert np.median([strength(8.0, 0.8, 0.1, 0.4, 10, seed) for seed in range(4)]) > 14


def test_as_soon_as_the_noise_is_known_sums_are_judged_by_it():
    """By what they were under the noise that had been assumed, a third of it, 4 to 6 would be left."""
    assert np.median([strength(1.7, 2.4, 0.45, 1.2, 4, seed) for seed in range(4)]) > 9
