"""TV-L1 on the CPU: right by known warps, by a plain NumPy copy of the method, and by scikit-image's."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates, uniform_filter
from simulated_cuda import smooth_pairs
from skimage.data import astronaut
from skimage.registration import optical_flow_tvl1

from microau.engine.errors import MicroauError
from microau.engine.tvl1 import Tvl1, Tvl1Solver, tvl1, tvl1_batch


@pytest.fixture(scope="module")
def face():
    """The astronaut's face, 128 x 128, as float."""
    gray = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY)
    return gray[50:178, 160:288].astype(np.float32)


def bump(shape, peak, width=12.0):
    """A smooth movement (H, W, 2), largest in the middle, towards the lower right."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    r2 = (x - shape[1] / 2) ** 2 + (y - shape[0] / 2) ** 2
    return (np.exp(-r2 / (2 * width**2))[..., None] * np.array([0.8, 0.6]) * peak).astype(np.float32)


def moved(picture, field):
    """The picture after the movement, exact: each point looks up where it came from."""
    here = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float64)
    there = here.copy()
    for _ in range(20):
        there = here - [map_coordinates(field[..., c], there, order=1, mode="nearest") for c in (1, 0)]
    return map_coordinates(picture, there, order=3, mode="nearest").astype(np.float32)


def noisy(picture, sigma, seed):
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def error(flow, truth):
    """Mean end-point error where the truth moves."""
    size = np.linalg.norm(truth, axis=-1)
    return np.linalg.norm(flow - truth, axis=-1)[size > 0.1 * size.max()].mean()


@pytest.mark.parametrize(("peak", "allowed"), [(0.2, 0.03), (0.5, 0.06), (1, 0.09), (2, 0.15), (4, 0.3)])
def test_finds_a_known_bump_on_a_face(face, peak, allowed):
    truth = bump(face.shape, peak)
    assert error(tvl1(face, moved(face, truth)), truth) < allowed


@pytest.mark.parametrize("sigma", [0, 2, 4])
def test_is_at_least_as_exact_as_scikit_image(face, sigma):
    truth = bump(face.shape, 1.0)
    onset, apex = noisy(face, sigma, 0), noisy(moved(face, truth), sigma, 1)
    v, u = optical_flow_tvl1(onset / np.float32(255), apex / np.float32(255))
    assert error(tvl1(onset, apex), truth) <= error(np.stack([u, v], -1), truth)


@pytest.mark.parametrize("shift", [8.0, 14.0])
def test_finds_a_movement_of_many_pixels(face, shift):
    truth = np.broadcast_to(np.float32([shift, -0.5 * shift]), (*face.shape, 2))
    middle = np.s_[24:-24, 24:-24]
    flow = tvl1(face, moved(face, truth))
    np.testing.assert_allclose(np.median(flow[middle], (0, 1)), [shift, -0.5 * shift], atol=0.05)


def test_a_still_face_does_not_move(face):
    assert not tvl1(face, face).any()


@pytest.mark.parametrize(("gain", "bias"), [(1.03, 0), (0.9, 0), (1, 12)])
def test_a_change_of_light_is_no_movement(face, gain, bias):
    truth = bump(face.shape, 1.0)
    dimmer = 0.8 * face
    changed = tvl1(dimmer, gain * moved(dimmer, truth) + bias)
    assert error(changed, truth) < error(tvl1(dimmer, moved(dimmer, truth)), truth) + 0.02


def test_a_dark_recording_moves_as_far(face):
    truth = bump(face.shape, 1.0)
    assert error(tvl1(0.3 * face, 0.3 * moved(face, truth)), truth) < 0.15


def test_x_and_y_are_treated_alike(face):
    apex = moved(face, bump(face.shape, 1.5))
    turned = tvl1(face.T.copy(), apex.T.copy())
    np.testing.assert_allclose(turned.transpose(1, 0, 2)[..., ::-1], tvl1(face, apex), atol=1e-3)


def test_bytes_and_floats_give_the_same(face):
    apex = noisy(moved(face, bump(face.shape, 1.0)), 0, 0)
    onset = face.astype(np.uint8)
    np.testing.assert_array_equal(
        tvl1(onset, apex), tvl1(onset.astype(np.float32), apex.astype(np.float32))
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_is_its_pairs_one_by_one(face, threads):
    onsets = np.stack([noisy(face, 2, seed) for seed in range(4)])
    apexes = np.stack([noisy(face, 2, seed) for seed in range(4, 8)])
    singles = np.stack([tvl1(a, b) for a, b in zip(onsets, apexes, strict=True)])
    np.testing.assert_array_equal(tvl1_batch(onsets, apexes, threads=threads), singles)


def test_a_solver_keeps_nothing_from_the_pair_before(face):
    solver = Tvl1Solver(*face.shape)
    apex = moved(face, bump(face.shape, 1.0))
    first = solver(face, apex)
    solver(apex, 255 - face)
    np.testing.assert_array_equal(solver(face, apex), first)


@pytest.mark.parametrize("shape", [(2, 2), (17, 32), (31, 63), (40, 300), (33, 254), (33, 255)])
def test_any_size_gives_what_plain_numpy_gives(shape):
    rng = np.random.default_rng(shape[1])
    onset = cv2.GaussianBlur(rng.uniform(0, 255, shape).astype(np.float32), (0, 0), 1.5)
    apex = cv2.GaussianBlur(onset + rng.normal(0, 20, shape).astype(np.float32), (0, 0), 1.0)
    params = Tvl1(levels=2, warps=2, iterations=7)
    np.testing.assert_allclose(tvl1(onset, apex, params), plain_tvl1(onset, apex, params), atol=1e-3)


def test_half_the_resolution_is_the_coarser_flow_enlarged(face):
    apex = moved(face, bump(face.shape, 2.0))
    coarse = tvl1(face, apex, Tvl1(finest=1))
    np.testing.assert_allclose(coarse[1:-1:2, 1:-1:2], (coarse[:-2:2, :-2:2] + coarse[2::2, 2::2]
        + coarse[:-2:2, 2::2] + coarse[2::2, :-2:2]) / 4, atol=1e-5)  # fmt: skip
    assert error(coarse, bump(face.shape, 2.0)) < 0.5


def test_impossible_settings_are_refused():
    with pytest.raises(MicroauError, match="above 0"):
        Tvl1(warps=0)
    with pytest.raises(ValueError, match="two equal 2-d arrays"):
        tvl1(np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8))


# The method once more, in whole arrays and double precision.


def test_rounding_decides_nothing_at_the_border():
    """A pixel of this pair lands half a pixel outside: counted or not, the corner would move by 0.09 px."""
    rng = np.random.default_rng(1)
    sides = [side.clip(0, 255).astype(np.uint8) for side in smooth_pairs((8, 224, 224), 8)]
    rounded = [side + rng.uniform(-1e-4, 1e-4, side.shape).astype(np.float32) for side in sides]
    found, other = tvl1(sides[0][0], sides[1][0]), tvl1(rounded[0][0], rounded[1][0])
    np.testing.assert_allclose(other, found, atol=1e-3)


STEP = 8**-0.5


def plain_tvl1(onset, apex, params):
    onsets, apexes = plain_pyramid(onset, params), plain_pyramid(apex, params)
    u = v = np.zeros(onsets[-1].shape)
    for i, (first, second) in reversed(list(enumerate(zip(onsets, apexes, strict=True)))):
        u, v = plain_level(first, second, u, v, params)
        if i:
            u, v = (plain_enlarge(c, onsets[i - 1].shape) for c in (u, v))
    return np.stack([u, v], axis=-1)


def plain_pyramid(picture, params):
    levels = [picture.astype(float)]
    while len(levels) < params.levels and min(levels[-1].shape) >= 32:
        levels.append(cv2.sepFilter2D(levels[-1], -1, *[np.array([1, 4, 6, 4, 1]) / 16] * 2,
                                      borderType=cv2.BORDER_REPLICATE)[::2, ::2])  # fmt: skip
    return [plain_normalised(level, params) for level in levels]


def plain_normalised(picture, params):
    def box(image):
        return uniform_filter(image, 2 * params.radius + 1, mode="nearest")

    difference = picture - box(box(picture))
    return difference / np.sqrt(box(difference**2) + params.contrast**2)


def plain_enlarge(flow, shape):
    where = np.mgrid[: shape[0], : shape[1]] / 2
    return 2 * map_coordinates(flow, where, order=1, mode="nearest")


def plain_level(onset, apex, u, v, params):
    duals, ahead = np.zeros((2, 2, *onset.shape)), np.array([u, v])
    for _ in range(params.warps):
        data = plain_data_term(onset, apex, u, v, params)
        for _ in range(params.iterations):
            duals, u, v, ahead = plain_iteration(duals, u, v, ahead, data, params)
    return u, v


def plain_data_term(onset, apex, u, v, params):
    h, w = onset.shape
    y, x = np.mgrid[:h, :w]
    off = np.maximum(abs(x + u - (w - 1) / 2) - (w - 1) / 2, abs(y + v - (h - 1) / 2) - (h - 1) / 2)
    inside = np.clip(1.5 - 2 * off, 0, 1)  # off in pixels outside the picture
    warped = plain_cubic(apex, x + u, y + v)
    both = np.pad((onset + warped) / 4, 1, mode="edge")
    gx, gy = both[1:-1, 2:] - both[1:-1, :-2], both[2:, 1:-1] - both[:-2, 1:-1]
    weight = inside / (gx**2 + gy**2 + params.noise / (STEP * params.data_weight))
    return gx, gy, warped - onset - gx * u - gy * v, weight


def plain_iteration(duals, u, v, ahead, data, params):
    slope_x = np.diff(ahead, axis=2, append=ahead[:, :, -1:])
    slope_y = np.diff(ahead, axis=1, append=ahead[:, -1:])
    duals = (duals + STEP * np.stack([slope_x, slope_y], axis=1)) / (1 + STEP * params.huber)
    duals = duals / np.maximum(1, np.linalg.norm(duals, axis=1, keepdims=True))
    spread = np.diff(duals[:, 0], axis=2, prepend=0) + np.diff(duals[:, 1], axis=1, prepend=0)
    new_u, new_v = u + STEP * spread[0], v + STEP * spread[1]
    gx, gy, rest, weight = data
    reach = STEP * params.data_weight
    move = np.clip((rest + gx * new_u + gy * new_v) * weight, -reach, reach)
    new_u, new_v = new_u - move * gx, new_v - move * gy
    return duals, new_u, new_v, np.array([2 * new_u - u, 2 * new_v - v])


def plain_cubic(picture, x, y):
    h, w = picture.shape
    x, y = np.clip(x, 0, w - 1), np.clip(y, 0, h - 1)
    ix, iy = np.floor(x).astype(int), np.floor(y).astype(int)
    total = 0
    for dy in range(-1, 3):
        for dx in range(-1, 3):
            value = picture[np.clip(iy + dy, 0, h - 1), np.clip(ix + dx, 0, w - 1)]
            total = total + value * keys(x - ix - dx) * keys(y - iy - dy)
    return total


def keys(t):
    """Keys' cubic kernel with a = -1/2, of which Catmull-Rom's weights are values."""
    t = abs(t)
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t < 1, near, np.where(t < 2, far, 0))
