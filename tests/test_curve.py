"""The fitted curve: moments of a noisy movement, against NumPy's least squares and known truth."""

import numpy as np
import pytest

from microau.stream.curve import REACHED, TOP, _misfit, fit_curve


def drawn(time, onset, apex, offset, hold=0.0):
    up = 0.5 - 0.5 * np.cos(np.pi * np.clip((time - onset) / (apex - onset), 0, 1))
    down = 0.5 + 0.5 * np.cos(np.pi * np.clip((time - apex - hold) / (offset - apex - hold), 0, 1))
    return np.where(time < apex, up, down)


def test_the_misfit_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    time = np.sort(rng.uniform(0, 1, 80))  # a variable rate
    course = rng.normal(size=80) + 3 * drawn(time, 0.3, 0.45, 0.8)
    basis = np.stack([np.ones(80), time, drawn(time, 0.31, 0.44, 0.77, 0.02)], axis=1)
    found, left, *_ = np.linalg.lstsq(basis, course, rcond=None)
    line = np.linalg.lstsq(basis[:, :2], course, rcond=None)[1]
    assert _misfit(time, course, 0.31, 0.44, 0.02, 0.77) == pytest.approx(
        (left[0], line[0], found[2]), rel=1e-6
    )


@pytest.mark.parametrize("fps", [60, 200])
@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_moments_of_a_noisy_movement(fps, noise):
    """Started 30 ms off; a signal-to-noise ratio of 7 a sample, on a drift as large as the movement."""
    time = np.arange(0, 2, 1 / fps)
    errors = []
    for seed in range(12):
        course = drawn(time, 0.8, 0.93, 1.2) + 0.5 * time
        course += noise * np.random.default_rng(seed).normal(size=len(time))
        curve = fit_curve(time, course, 0.83, 0.95, 1.17, 0.5)
        assert curve.explained > (0.7 if noise else 0.99)
        assert curve.height == pytest.approx(1.0, abs=0.03 + 1.5 * noise)
        errors.append([curve.onset - 0.8, curve.apex - 0.8 - REACHED * 0.13, curve.offset - 1.2])
    assert np.abs(np.median(errors, axis=0)).max() < 0.012 + 0.1 * noise
    assert np.abs(errors).mean() < 0.012 + 0.15 * noise * (200 / fps) ** 0.5


def test_the_apex_is_the_first_moment_near_the_top():
    time = np.arange(0, 1.5, 0.005)
    course = drawn(time, 0.5, 0.65, 0.95, hold=0.04)
    curve = fit_curve(time, course, 0.5, 0.66, 0.95, 0.5)
    assert np.interp(curve.apex, time, course) == pytest.approx(TOP, abs=0.02)


def test_restlessness_is_not_explained():
    time = np.arange(0, 1.5, 0.005)
    shares = [
        fit_curve(time, np.random.default_rng(s).normal(size=len(time)), 0.5, 0.65, 0.95, 0.5)
        for s in range(20)
    ]
    assert max(c.explained for c in shares if c is not None) < 0.45


def test_no_curve_is_longer_than_allowed():
    time = np.arange(0, 3, 0.01)
    curve = fit_curve(time, drawn(time, 0.5, 1.0, 2.2), 0.5, 1.0, 2.2, 0.5)
    assert curve is None or curve.offset - curve.onset <= 0.5 + 1e-9


def test_too_few_samples_give_none():
    time = np.arange(0, 1, 0.2)
    assert fit_curve(time, np.ones(5), 0.4, 0.5, 0.6, 0.5) is None
