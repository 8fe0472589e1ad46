"""TV-L1 optical flow on the CPU: how far each pixel of the onset picture has moved in the apex picture.

Brightness differences are weighed by their absolute value, the flow by its total variation [1]; both
turn into squares near zero, where there is only noise to weigh and skin that bends smoothly [3].
Coarse to fine; at each level the apex picture is warped by the flow so far and the rest is solved by
a fixed number of primal-dual iterations [2]: no stopping test, so that the time is known beforehand
and CPU and CUDA do the same work and agree. Both pictures are normalised by their local mean and
contrast first, so that neither a lamp nor a dark recording looks like motion.

[1]-[4] are named in `tvl1_formulas`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import MicroauError
from .tvl1_cpu import solve_level, state_buffer
from .tvl1_pyramid import Pyramid, enlarge, level_sizes

Flow = NDArray[np.float32]
Image = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tvl1:
    """Settings of TV-L1, chosen by `benchmarks/flow.py` (docs/flow.md)."""

    levels: int = 4
    """Pyramid levels, each half the size of the last; fewer where a side would fall below 16 px."""
    finest: int = 0
    """Level at which it stops: 1 gives half the resolution, enlarged, in a quarter of the time."""
    warps: int = 3
    """Times that the apex picture is warped and the brightness linearised, per level."""
    iterations: int = 12
    """Primal-dual iterations per warp."""
    data_weight: float = 4.0
    """Weight of a brightness difference of one local standard deviation against the flow's variation
    in pixels: lambda of [1]."""
    noise: float = 0.1
    """Brightness differences, in local standard deviations, below which they are weighed by squares."""
    huber: float = 0.1
    """Flow gradients, px per px, below which they are weighed by squares [3]; 0: total variation."""
    radius: int = 6
    """Half width in pixels of the box in which mean and contrast are measured."""
    contrast: float = 20.0
    """Grey levels of 0..255: a local standard deviation far below it is not lifted to one."""

    def __post_init__(self) -> None:
        above_zero = (
            self.levels,
            self.warps,
            self.iterations,
            self.data_weight,
            self.radius,
            self.contrast,
        )
        if min(above_zero) <= 0 or min(self.finest, self.noise, self.huber) < 0:
            raise MicroauError(f"{self}: finest, noise and huber may be 0, all else must be above 0")

    @property
    def constants(self) -> NDArray[np.float32]:
        """floor, sigma, shrink, tau, reach of `tvl1_formulas`."""
        floor = max(self.noise / (STEP * self.data_weight), FLAT)
        shrink = 1 / (1 + STEP * self.huber)
        return np.array([floor, STEP, shrink, STEP, STEP * self.data_weight], np.float32)


SMALLEST = 16
"""Pixels: no side of a coarser level is shorter."""
STEP = 8**-0.5
"""Primal and dual step: their product times the squared norm of the gradient, 8, must not exceed 1 [2]."""
FLAT = 1e-6
"""Keeps a pixel without any gradient from a division by zero."""


class Tvl1Solver:
    """TV-L1 for pictures of one size, with its buffers; for one thread at a time."""

    def __init__(self, height: int, width: int, params: Tvl1 | None = None) -> None:
        self.params = params or Tvl1()
        sizes = level_sizes(height, width, self.params.levels, SMALLEST)
        self.shape = sizes[0]
        self._onset = Pyramid(sizes, self.params.radius, self.params.contrast)
        self._apex = Pyramid(sizes, self.params.radius, self.params.contrast)
        self._flows = [np.zeros((2, *size), np.float32) for size in sizes]
        self._state = state_buffer(height, width)

    def __call__(self, onset: Image, apex: Image) -> Flow:
        """Displacement (H, W, 2) of each onset pixel, x to the right, y down, in pixels."""
        self._onset.build(onset)
        self._apex.build(apex)
        self._flows[-1][:] = 0
        for level in range(len(self._flows) - 1, -1, -1):
            if level >= self.params.finest or level == len(self._flows) - 1:
                self._solve(level)
            if level:
                enlarge(self._flows[level], self._flows[level - 1])
        return np.ascontiguousarray(self._flows[0].transpose(1, 2, 0))

    def _solve(self, level: int) -> None:
        onset, apex, flow = self._onset.levels[level], self._apex.levels[level], self._flows[level]
        counts = (self.params.warps, self.params.iterations)
        solve_level(self._state, onset, apex, flow, counts, self.params.constants)


def tvl1(onset: Image, apex: Image, params: Tvl1 | None = None) -> Flow:
    """Displacement of each pixel from the onset to the apex picture.

    onset, apex  (H, W) uint8, or float32 in 0..255
    return       (H, W, 2) float32 pixels, x to the right, y down:
                 what lies at (x, y) in `onset` lies at (x, y) + flow[y, x] in `apex`
    """
    height, width = _size(onset, apex, 2)
    return Tvl1Solver(height, width, params)(onset, apex)


def tvl1_batch(onset: Image, apex: Image, params: Tvl1 | None = None, threads: int = 1) -> Flow:
    """The same for pairs (B, H, W), (B, H, W) -> (B, H, W, 2), shared among threads."""
    height, width = _size(onset, apex, 3)
    flows = np.empty((*onset.shape, 2), np.float32)

    def solve(first: int) -> None:
        solver = Tvl1Solver(height, width, params)
        for i in range(first, len(onset), threads):
            flows[i] = solver(onset[i], apex[i])

    if threads == 1:
        solve(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(solve, range(min(threads, len(onset)))))
    return flows


def warm_up() -> None:
    """Compile what pictures up to 254 px wide need: seconds once per machine, then read from disk."""
    blank = np.zeros((32, 32), np.float32)
    tvl1(blank, blank, Tvl1(warps=1, iterations=1))


def _size(onset: Image, apex: Image, ndim: int) -> tuple[int, int]:
    if onset.shape != apex.shape or onset.ndim != ndim or min(onset.shape[-2:]) < 2:
        raise ValueError(f"two equal {ndim}-d arrays of pictures expected, not {onset.shape}, {apex.shape}")
    return onset.shape[-2], onset.shape[-1]
