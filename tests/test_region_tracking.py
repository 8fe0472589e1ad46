"""Sub-pixel tracking against known shifts of a real photograph."""

import cv2
import numpy as np
import pytest

from microau.engine.motion import smooth
from microau.engine.region_tracking import make_reference, track

data = pytest.importorskip("skimage.data")
FACE = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
CENTRES = np.array([(x, y) for y in range(70, 160, 15) for x in range(80, 160, 15)], np.float32)


def crop(dx=0.0, dy=0.0, noise=0.0, gain=1.0, offset=0.0, seed=0):
    """The face, magnified twice (as a crop is), moved by (dx, dy) crop pixels."""
    matrix = np.array([[0.5, 0, 170 - 0.5 * dx], [0, 0.5, 50 - 0.5 * dy]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(FACE.astype(np.float32), matrix, (224, 224), flags=flags)
    image = gain * image + offset + noise * np.random.default_rng(seed).standard_normal(image.shape)
    return smooth(np.clip(np.rint(image), 0, 255).astype(np.uint8))


def errors(shift, **changes):
    reference = make_reference(crop(), CENTRES)
    found, _ = track(reference, crop(*shift, **changes), np.zeros_like(CENTRES), np.zeros_like(CENTRES))
    textured = reference.texture > 4.0  # where the picture says more than the expectation
    assert textured.sum() > 12
    return np.hypot(*(found - shift).T)[textured]


@pytest.mark.parametrize("shift", [(0.2, -0.1), (0.9, 0.6), (-2.3, 1.7)])
def test_shift_is_found_to_a_few_hundredths_of_a_pixel(shift):
    assert np.median(errors(shift)) < 0.03
    assert np.quantile(errors(shift), 0.9) < 0.1


def test_brightness_gain_and_offset_are_not_motion():
    assert np.median(errors((0.0, 0.0), gain=1.06, offset=-7)) < 0.02


def test_noise_costs_little():
    assert np.median(errors((0.5, 0.3), noise=3.0)) < 0.12


def test_bare_skin_stays_where_it_is_expected():
    flat = np.full((224, 224), 128, np.float32)
    reference = make_reference(flat, CENTRES)
    guess = np.full_like(CENTRES, 0.4)
    found, _ = track(reference, flat + 3, 0 * guess, guess)
    np.testing.assert_allclose(found, guess, atol=0.05)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 20.0), (1.0, -20.0), (0.75, 0.0), (1.25, -40.0)])
def test_another_light_is_no_difference(gain, offset):
    """Exposure and flicker change every gray level and no disc's look."""
    reference = make_reference(crop(), CENTRES)
    zero = np.zeros_like(CENTRES)
    _, error = track(reference, crop(gain=gain, offset=offset, noise=1.0), zero, zero)
    unclipped = reference.mean * gain + offset + 2 * gain * np.sqrt(reference.variance) < 250
    unclipped &= reference.mean * gain + offset - 2 * gain * np.sqrt(reference.variance) > 5
    assert unclipped.sum() > 8
    assert error[unclipped].max() < 2.5


def test_a_hand_before_the_face_is_a_difference():
    """Bare skin is no reference at gain 0."""
    reference = make_reference(crop(), CENTRES)
    zero = np.zeros_like(CENTRES)
    _, error = track(reference, np.full((224, 224), 140, np.float32), zero, zero)
    contrast = np.sqrt(reference.variance)
    assert (error > 0.4 * contrast).all()
    assert reference.unlike(error, np.arange(len(CENTRES))) > 0.25


def test_the_remaining_difference_is_that_of_a_plain_fit():
    """Independent oracle: NumPy's least squares of the found disc on the reference's, and its residual."""
    reference = make_reference(crop(), CENTRES)
    image = crop(0.0, 0.0, gain=1.1, offset=8, noise=4.0)
    still = np.zeros_like(CENTRES)
    found, error = track(reference, image, still, still)
    for k in np.flatnonzero(np.hypot(*found.T) < 0.02)[:10]:
        x, y = reference.corner[k]
        disc = image[y : y + 21, x : x + 21].ravel().astype(float)
        basis = np.stack([reference.patch[k], np.ones(disc.size)], axis=1)
        rest = disc - basis @ np.linalg.lstsq(basis, disc, rcond=None)[0]
        assert error[k] == pytest.approx(0.8 * rest.std(), rel=0.1)
