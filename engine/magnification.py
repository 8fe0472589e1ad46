"""Make a small motion between two pictures larger, without learning: by its flow, or by its phase.

in    onset, apex (H, W) uint8 gray, registered; factor, e.g. 3
out   (H, W) uint8: the apex with `factor` times the motion

Micro-AU CLIP magnifies by 3 with a learned network (Oh et al., ECCV 2018), which is in
`training.magnify`. These two need no weights. By flow: the onset is warped along the measured motion,
so what a flow cannot see is not there. By phase: every band of a Riesz pyramid is shifted by a
multiple of its own phase difference (Wadhwa et al., ICCP 2014); no flow is measured, noise grows too,
and the motion that comes out is smaller than asked (about 2.4 times for a factor of 3, on texture).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import MicroauError
from .records import Gray
from .tvl1 import tvl1

Band = NDArray[np.float32]

MAGNIFICATIONS = ("none", "flow", "phase")
"""Names that `magnify` takes."""


def magnify(name: str, onset: Gray, apex: Gray, factor: float) -> Gray:
    """The apex with `factor` times its motion against the onset, (H, W) uint8."""
    if name == "none" or factor == 1:
        return apex
    if name not in _BY_NAME:
        raise MicroauError(f"magnification {name!r} is not known; there are {', '.join(MAGNIFICATIONS)}")
    return _BY_NAME[name](onset, apex, factor)


def magnify_by_flow(onset: Gray, apex: Gray, factor: float) -> Gray:
    """The onset moved along `factor` times the TV-L1 flow from onset to apex."""
    flow = np.asarray(np.float32(factor) * tvl1(onset, apex), np.float32)
    return np.asarray(_fetched(onset, _inverse(flow), cv2.INTER_CUBIC), np.uint8)


def _inverse(flow: Band, rounds: int = 8) -> Band:
    """Shift (H, W, 2) b with b(y) = flow(y - b(y)): how far the content of each pixel has come.

    Fixed-point iteration; it converges where the flow changes by less than a pixel per pixel.
    """
    back = flow
    for _ in range(rounds):
        back = np.asarray(_fetched(flow, back, cv2.INTER_LINEAR), np.float32)
    return back


def _fetched(values: Gray | Band, back: Band, interpolation: int) -> NDArray[np.generic]:
    """What lies at y - back(y), for every pixel y; the border is repeated."""
    places = np.indices(back.shape[:2], dtype=np.float32)
    rows, columns = places[0] - back[..., 1], places[1] - back[..., 0]
    picture = cv2.remap(values, columns, rows, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture)


LEVELS = 5
"""Octaves of the pyramid; the coarsest follows motion of about 2^5 pixels."""
SMOOTH = 0.8
"""Pixels of a level over which phase differences are averaged, weighted by the local power."""


def magnify_by_phase(onset: Gray, apex: Gray, factor: float) -> Gray:
    """Every band of the apex shifted by (factor - 1) times its phase difference to the onset."""
    still, moved = (laplacian(picture.astype(np.float32)) for picture in (onset, apex))
    bands = [_shifted(a, b, factor - 1) for a, b in zip(still[:-1], moved[:-1], strict=True)]
    picture = collapse([*bands, moved[-1]])
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def laplacian(picture: Band, levels: int = LEVELS) -> list[Band]:
    """Bands (H, W), (H/2, W/2), ... and the rest; `collapse` gives the picture back exactly."""
    bands = []
    for _ in range(levels):
        if min(picture.shape) < 8:
            break
        small = np.asarray(cv2.pyrDown(picture), np.float32)
        bands.append(np.asarray(picture - _larger(small, picture), np.float32))
        picture = small
    return [*bands, picture]


def collapse(bands: list[Band]) -> Band:
    """The picture (H, W) of its bands."""
    picture = bands[-1]
    for band in reversed(bands[:-1]):
        picture = band + _larger(picture, band)
    return picture


def _larger(small: Band, like: Band) -> Band:
    return np.asarray(cv2.pyrUp(small, dstsize=(like.shape[1], like.shape[0])), np.float32)


def _riesz(band: Band, gain: float = 1.0) -> tuple[Band, Band]:
    """The Riesz transform of a band, horizontal and vertical, by three-tap filters (Wadhwa 2014)."""
    taps = np.array([0.5, 0.0, -0.5], np.float32) * np.float32(gain)
    one = np.ones(1, np.float32)
    across = cv2.sepFilter2D(band, cv2.CV_32F, taps, one, borderType=cv2.BORDER_REFLECT101)
    down = cv2.sepFilter2D(band, cv2.CV_32F, one, taps, borderType=cv2.BORDER_REFLECT101)
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def _gain(band: Band) -> float:
    """What the three taps take away: they are a Riesz transform at a quarter of the sampling rate alone,
    and weaken lower frequencies; the transform of a band has the energy of the band.
    """
    across, down = _riesz(band)
    energy = float((across**2 + down**2).sum())
    return float(np.sqrt((band**2).sum() / energy)) if energy > 0 else 1.0


def _shifted(still: Band, moved: Band, gain: float) -> Band:
    """The band `moved`, its phase advanced by `gain` times the phase difference to `still`.

    A band and its Riesz transform (r, i, j) are a quaternion of amplitude A and phase along the local
    direction; the quotient of two of them holds the phase difference.
    """
    lift = _gain(still)
    i0, j0 = _riesz(still, lift)
    i1, j1 = _riesz(moved, lift)
    # moved * conjugate(still), as quaternions without k (it is small for one motion).
    real = _near(still * moved + i0 * i1 + j0 * j1)
    across = _near(still * i1 - moved * i0)
    down = _near(still * j1 - moved * j0)
    size = np.hypot(across, down) + 1e-9
    turn = gain * np.arctan2(size, real)
    advanced = np.cos(turn) * moved - np.sin(turn) * (i1 * across + j1 * down) / size
    return np.asarray(advanced, np.float32)


def _near(values: Band) -> Band:
    """Mean around every pixel."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), SMOOTH), np.float32)


_BY_NAME: dict[str, Callable[[Gray, Gray, float], Gray]] = {
    "flow": magnify_by_flow,
    "phase": magnify_by_phase,
}
