"""Every flow on offer finds a known sub-pixel movement, in the stated direction and unit."""

import cv2
import numpy as np
import pytest

from microau.engine.errors import MicroauError
from microau.engine.flow import FLOWS, optical_flow


def texture(shape, seed=0):
    """Smooth random brightness, about 4 px fine."""
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(128 + 40 * smooth / smooth.std(), 0, 255)


def shifted(image, dx, dy):
    """What lay at (x, y) lies at (x + dx, y + dy)."""
    matrix = np.float32([[1, 0, dx], [0, 1, dy]])
    return cv2.warpAffine(
        image, matrix, image.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize(("dx", "dy"), [(0.4, 0.0), (0.0, -0.7), (-2.3, 1.6)])
def test_finds_a_known_shift(name, dx, dy):
    onset = texture((120, 160))
    apex = shifted(onset, dx, dy)
    flow = optical_flow(name)(onset.astype(np.uint8), apex.astype(np.uint8))
    assert flow.shape == (120, 160, 2)
    assert flow.dtype == np.float32
    tolerance = 0.05 if name in ("tvl1", "farneback") else 0.2
    np.testing.assert_allclose(np.median(flow, (0, 1)), [dx, dy], atol=tolerance)


@pytest.mark.parametrize("name", FLOWS)
def test_keeps_nothing_from_the_pair_before(name):
    one, other = texture((64, 64)).astype(np.uint8), texture((64, 64), 1).astype(np.uint8)
    flow = optical_flow(name)
    first = flow(one, shifted(one, 1, 0))
    flow(other, shifted(other, -2, 1))
    flow(other[:48], other[:48])
    np.testing.assert_array_equal(flow(one, shifted(one, 1, 0)), first)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(MicroauError, match="dis-ultrafast"):
        optical_flow("raft")
