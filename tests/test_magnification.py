"""Magnified motion, measured against a picture that really moved that far."""

import cv2
import numpy as np
import pytest

from microau.engine.errors import MicroauError
from microau.engine.magnification import collapse, laplacian, magnify, magnify_by_phase
from microau.engine.tvl1 import tvl1

INNER = (slice(30, -30), slice(30, -30))


@pytest.fixture(scope="module")
def shot():
    """A texture with detail at two scales, seen through a window that is moved by (x, y) pixels."""
    rng = np.random.default_rng(0)
    fine, coarse = (
        cv2.GaussianBlur(rng.normal(0, 1, (300, 300)).astype(np.float32), (0, 0), s) for s in (3, 8)
    )
    texture = 128 + 40 * (fine / fine.std() + coarse / coarse.std()) / np.sqrt(2)

    def moved(x, y=0.0):
        matrix = np.array([[1, 0, 38 - x], [0, 1, 38 - y]], np.float64)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return np.clip(np.rint(cv2.warpAffine(texture, matrix, (224, 224), flags=flags)), 0, 255).astype(
            np.uint8
        )

    return moved


def error(a, b):
    return np.abs(a.astype(int) - b.astype(int))[INNER].mean()


@pytest.mark.parametrize("name", ["flow", "phase"])
@pytest.mark.parametrize("step", [0.5, 1.0])
def test_the_magnified_picture_is_nearer_to_the_larger_motion(shot, name, step):
    still, moved, truth = shot(0), shot(step, -step / 2), shot(3 * step, -1.5 * step)
    magnified = magnify(name, still, moved, 3)
    assert error(magnified, truth) < 0.45 * error(moved, truth)


@pytest.mark.parametrize(("name", "least", "most"), [("flow", 2.9, 3.1), ("phase", 2.1, 3.1)])
def test_the_motion_grows_by_the_factor_and_keeps_its_direction(shot, name, least, most):
    flow = tvl1(shot(0), magnify(name, shot(0), shot(1.0, -0.5), 3))[INNER].reshape(-1, 2)
    across, down = np.median(flow, axis=0)
    assert least < across < most
    assert least < -down / 0.5 < most


@pytest.mark.parametrize("name", ["flow", "phase"])
def test_what_does_not_move_stays(shot, name):
    still = shot(0)
    assert np.abs(magnify(name, still, still, 5).astype(int) - still).max() <= 1


@pytest.mark.parametrize("name", ["flow", "phase", "none"])
def test_a_factor_of_one_changes_nothing(shot, name):
    np.testing.assert_array_equal(magnify(name, shot(0), shot(1), 1), shot(1))


def test_phase_by_a_factor_of_one_rebuilds_the_apex(shot):
    np.testing.assert_array_equal(magnify_by_phase(shot(0), shot(1), 1), shot(1))


@pytest.mark.parametrize("shape", [(224, 224), (37, 61), (9, 9)])
def test_the_bands_give_the_picture_back(shape):
    picture = np.random.default_rng(1).random(shape).astype(np.float32)
    np.testing.assert_allclose(collapse(laplacian(picture)), picture, atol=1e-5)


def test_an_unknown_name_is_refused(shot):
    with pytest.raises(MicroauError, match="there are none, flow, phase"):
        magnify("lens", shot(0), shot(1), 3)
