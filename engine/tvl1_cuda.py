"""TV-L1 on a CUDA device: the method and the arithmetic of `tvl1`, for a batch of pairs at once.

    solver = Tvl1Cuda(64, 224, 224)
    flows = solver(onsets, apexes)     # (64, 224, 224), twice -> (64, 224, 224, 2), on the device

Input and output are device arrays (PyTorch, CuPy, Numba: whatever has the CUDA array interface);
nothing is copied to the host, and nothing is allocated from call to call. All launches and their
arguments are laid out once, so a call is a short list of launches on one stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import tvl1_cuda_kernels as kernels
from .cuda_launch import launch
from .errors import MicroauError
from .numba_cuda import cuda
from .tvl1 import SMALLEST, Tvl1
from .tvl1_pyramid import level_sizes

DeviceArray = Any
"""Anything with `__cuda_array_interface__`; Numba has no public type for it."""
Launch = tuple[Any, tuple[Any, ...], tuple[Any, ...]]
"""A kernel, its grid, block and stream, and its arguments."""

STEPS_PER_LAUNCH = 4 if kernels.TILE == 32 else 2
"""Iterations between two trips to global memory: more of them recompute more of the margin."""


class Tvl1Cuda:
    """TV-L1 for a fixed number of pairs of one size, with its buffers on one stream."""

    def __init__(
        self, batch: int, height: int, width: int, params: Tvl1 | None = None, stream: Any = 0
    ) -> None:
        self.params = params or Tvl1()
        _check(self.params)
        self.shape = (batch, height, width)
        self._stream = stream
        sizes = level_sizes(height, width, self.params.levels, SMALLEST)
        self._pictures, self._levels = (_buffers(sizes, 2 * batch) for _ in range(2))
        self._states, self._spare = (_buffers(sizes, kernels.STATE_FIELDS, batch) for _ in range(2))
        self._data = _buffers(sizes, kernels.DATA_FIELDS, batch)
        self._constants = cuda.to_device(self.params.constants)
        self._plan = [*self._pyramid_launches(), *self._flow_launches()]
        cuda.synchronize()  # what went up is there, also for a stream that waits for no other

    def __call__(
        self, onset: DeviceArray, apex: DeviceArray, out: DeviceArray | None = None
    ) -> DeviceArray:
        """Displacement of each onset pixel, x to the right, y down, in pixels of the picture.

        onset, apex  (B, H, W) uint8 or float32 in 0..255, on the device
        out          (B, H, W, 2) float32 on the device; made if not given
        return       out, written when the stream gets there
        """
        if not tuple(onset.shape) == tuple(apex.shape) == self.shape:
            raise ValueError(f"pictures must be {self.shape}, not {onset.shape} and {apex.shape}")
        if out is None:
            out = cuda.device_array((*self.shape, 2), np.float32, stream=self._stream)
        whole = self._grid(self.shape)
        launch(kernels.load, whole, onset, self._pictures[0], 0)
        launch(kernels.load, whole, apex, self._pictures[0], self.shape[0])
        for kernel, grid, arguments in self._plan:
            launch(kernel, grid, *arguments)
        launch(kernels.export, whole, self._states[0], out)
        return out

    def _pyramid_launches(self) -> Iterator[Launch]:
        radius, floor = self.params.radius, np.float32(self.params.contrast**2)
        for i, (picture, level, a, b) in enumerate(
            zip(self._pictures, self._levels, self._states, self._spare, strict=True)
        ):
            if i:
                yield kernels.halve, self._grid(picture.shape), (self._pictures[i - 1], picture)
            # Scratch: the flow's buffers are idle while the pyramids are built.
            first, second = (_as_pictures(state, picture.shape) for state in (a, b))
            grid = self._grid(picture.shape, radius)
            yield kernels.blur, grid, (picture, radius, first)
            yield kernels.centre, grid, (picture, first, radius, second)
            yield kernels.normalise, grid, (second, radius, floor, level)

    def _flow_launches(self) -> Iterator[Launch]:
        last = len(self._states) - 1
        for i in range(last, -1, -1):
            coarse = self._states[min(i + 1, last)]
            shape = (self.shape[0], *self._states[i].shape[2:])
            yield kernels.begin, self._grid(shape), (coarse, i == last, self._states[i])
            if i >= self.params.finest or i == last:
                for _ in range(self.params.warps):
                    yield from self._warp_launches(i, shape)

    def _warp_launches(self, i: int, shape: tuple[int, int, int]) -> Iterator[Launch]:
        """One warp and its iterations; the result lies in `self._states[i]` again."""
        alone = max(shape[1:]) <= kernels.TILE
        steps = _portions(self.params.iterations, self.params.iterations if alone else STEPS_PER_LAUNCH)
        source, target = self._states[i], self._spare[i]
        for j, count in enumerate(steps):
            margin = 0 if alone else count
            arguments: tuple[Any, ...] = (source, self._data[i], target, count, margin, self._constants)
            kernel = kernels.iterate if j else kernels.warp
            if j == 0:
                arguments = (self._levels[i], *arguments)
            yield kernel, self._grid(shape, margin), arguments
            source, target = target, source
        self._states[i], self._spare[i] = source, target

    def _grid(self, shape: tuple[int, ...], margin: int = 0) -> tuple[Any, ...]:
        """Grid, block and stream for (B, h, w) pixels in tiles that overlap by twice the margin."""
        step = kernels.TILE - 2 * margin
        grid = (-(-shape[2] // step), -(-shape[1] // step), shape[0])
        return grid, (kernels.TILE, kernels.TILE), self._stream


def _buffers(sizes: list[tuple[int, int]], *leading: int) -> list[Any]:
    """One float32 array (*leading, h, w) per level."""
    return [cuda.device_array((*leading, *size), np.float32) for size in sizes]


def require_cuda(index: int = 0) -> None:
    """MicroauError where Numba finds no such device."""
    if not cuda.is_available():
        raise MicroauError("flow on CUDA: no CUDA device found; use --device cpu, or install microau[gpu]")
    if index >= len(cuda.gpus):
        raise MicroauError(
            f"flow on CUDA: cuda:{index}: Numba finds {len(cuda.gpus)} device(s), from cuda:0"
        )


def _check(params: Tvl1) -> None:
    require_cuda()
    widest = kernels.TILE // 2 - 1
    if params.radius > widest:
        raise MicroauError(f"flow on CUDA: radius {params.radius} is too wide, at most {widest}")


def _portions(total: int, most: int) -> list[int]:
    """The total in equal shares, as few as `most` allows: 12 by 6 -> 6, 6; 15 by 6 -> 5, 5, 5."""
    shares = -(-total // most)
    return [total // shares + (i < total % shares) for i in range(shares)]


def _as_pictures(state: Any, shape: tuple[int, ...]) -> Any:
    """The first fields of a state, seen as 2 B pictures."""
    return state[:2].reshape(shape)
