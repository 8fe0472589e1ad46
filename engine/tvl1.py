"""TV-L1 optical flow on the CPU: how far each pixel of the onset picture has moved in the apex picture.

Brightness differences are weighed by their absolute value, the flow by its total variation [1], with
the smallest gradients smoothed quadratically so that skin does not move in steps [3]. Coarse to fine;
at each level the apex picture is warped by the flow so far and the rest is solved by a fixed number
of primal-dual iterations [2]: no stopping test, so CPU and CUDA do the same work and agree.

Local mean brightness is taken out of both pictures first [5], so that a lamp or an exposure that
changes does not look like motion.

[1]-[4] are named in `tvl1_formulas`; [5] A. Wedel et al., "An Improved Algorithm for TV-L1", 2009.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import tvl1_cpu as cpu
from .errors import MicroauError

Flow = NDArray[np.float32]
Image = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tvl1:
    """Settings of TV-L1. Brightness runs 0..255."""

    levels: int = 4
    """Pyramid levels, each half the size of the last; fewer where a side would fall below 16 px."""
    warps: int = 4
    """Times that the apex picture is warped and the brightness linearised, per level."""
    iterations: int = 25
    """Primal-dual iterations per warp."""
    data_weight: float = 0.15
    """Weight of the brightness difference against the total variation: lambda of [1]."""
    huber: float = 0.01
    """Flow gradients, px per px, below which the smoothing is quadratic [3]; 0: plain total variation."""
    mean_radius: int = 6
    """Pixels: half width of the box whose mean is taken out, twice, at each level; 0: taken as they are."""

    def __post_init__(self) -> None:
        counts = (self.levels, self.warps, self.iterations)
        if min(counts) < 1 or self.data_weight <= 0 or self.huber < 0 or self.mean_radius < 0:
            raise MicroauError(f"{self}: counts and weight must be above 0, huber and radius not below")


class Tvl1Solver:
    """TV-L1 for pictures of one size, with its buffers; one thread at a time."""

    def __init__(self, height: int, width: int, params: Tvl1 | None = None) -> None:
        self.params = params or Tvl1()
        self.sizes = pyramid_sizes(height, width, self.params.levels)
        self._onset = cpu.pyramid_buffers(self.sizes)
        self._apex = cpu.pyramid_buffers(self.sizes)
        self._flow = [np.zeros((2, h, w), np.float32) for h, w in self.sizes]
        self._state = cpu.state_buffer(height, width)

    def __call__(self, onset: Image, apex: Image) -> Flow:
        """Displacement (H, W, 2) of each onset pixel, x to the right, y down, in pixels."""
        radius = self.params.mean_radius
        cpu.build_pyramid(_picture(onset, self.sizes[0]), self._onset, radius)
        cpu.build_pyramid(_picture(apex, self.sizes[0]), self._apex, radius)
        self._flow[-1][:] = 0
        for level in range(len(self.sizes) - 1, -1, -1):
            self._solve_level(level)
            if level:
                cpu.upsample(self._flow[level], self._flow[level - 1])
        return np.ascontiguousarray(self._flow[0].transpose(1, 2, 0))

    def _solve_level(self, level: int) -> None:
        onset, apex, flow = self._onset[level], self._apex[level], self._flow[level]
        cpu.clear_dual(self._state, flow)
        for _ in range(self.params.warps):
            cpu.linearise(self._state, onset, apex, flow)
            cpu.iterate(self._state, flow, self.params)


def tvl1(onset: Image, apex: Image, params: Tvl1 | None = None) -> Flow:
    """Displacement of each pixel from the onset to the apex picture.

    onset, apex  (H, W) uint8, or float32 in 0..255
    return       (H, W, 2) float32 pixels, x to the right, y down:
                 what lies at (x, y) in `onset` lies at (x, y) + flow[y, x] in `apex`
    """
    height, width = _checked(onset, apex, 2)
    return Tvl1Solver(height, width, params)(onset, apex)


def tvl1_batch(onset: Image, apex: Image, params: Tvl1 | None = None, threads: int = 1) -> Flow:
    """The same for pairs (B, H, W), (B, H, W) -> (B, H, W, 2), shared among threads."""
    height, width = _checked(onset, apex, 3)
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


def warm_up(params: Tvl1 | None = None) -> None:
    """Compile what pictures up to 254 px wide need: some seconds the first time, then read from disk."""
    for dtype in (np.uint8, np.float32):
        blank = np.zeros((32, 32), dtype)
        tvl1(blank, blank, params or Tvl1(warps=1, iterations=1))


def pyramid_sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """(height, width) of each level, finest first."""
    sizes = [(height, width)]
    while len(sizes) < levels and min(sizes[-1]) >= 2 * SMALLEST:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


SMALLEST = 16
"""Pixels: no side of a coarser level is shorter."""


def _checked(onset: Image, apex: Image, ndim: int) -> tuple[int, int]:
    if onset.shape != apex.shape or onset.ndim != ndim or min(onset.shape[-2:]) < 2:
        raise ValueError(f"two equal {ndim}-d arrays of pictures expected, not {onset.shape}, {apex.shape}")
    return onset.shape[-2], onset.shape[-1]


def _picture(image: Image, size: tuple[int, int]) -> NDArray[np.float32]:
    if image.shape != size:
        raise ValueError(f"this solver takes pictures of {size}, not {image.shape}")
    return np.ascontiguousarray(image, np.float32)
