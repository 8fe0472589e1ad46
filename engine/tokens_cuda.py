"""Token gathering on a CUDA device: `tokens`, for batches that are there already.

Arrays are device arrays (PyTorch, CuPy, Numba: whatever has the CUDA array interface); nothing is
copied to the host. The caller checks token numbers: a wrong one reads past the end of `tokens`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cuda_launch import launch
from .numba_cuda import config, cuda
from .tokens import grid_scales, token_of

DeviceArray = Any
"""Anything with `__cuda_array_interface__`; Numba has no public type for it."""

THREADS = 4 if config.ENABLE_CUDASIM else 128
"""Per block; few in the simulator, where each is a thread of Python."""

_token_of = cuda.jit(device=True, inline="always")(token_of)


def unit_tokens_cuda(
    landmarks: DeviceArray,
    table: DeviceArray,
    frame: tuple[float, float],
    grid: tuple[int, int],
    *,
    out: DeviceArray | None = None,
    stream: Any = 0,
) -> DeviceArray:
    """Token numbers of every unit's landmarks, as `tokens.unit_tokens`.

    landmarks  (B, P, 2) float32 x, y in pixels of the frame
    table      (N, L) int64 landmark numbers, -1 where the unit has no more
    return     out (B, N, L) int64, -1 where masked; made if not given
    """
    if out is None:
        out = cuda.device_array((landmarks.shape[0], *table.shape), np.int64, stream=stream)
    blocks = (-(-(table.shape[0] * table.shape[1]) // THREADS), landmarks.shape[0])
    per_row, per_column = grid_scales(frame, grid)
    setting = (blocks, THREADS, stream)
    launch(_unit_indices, setting, landmarks, table, per_row, per_column, grid[0], grid[1], out)
    return out


def gather_tokens_cuda(
    tokens: DeviceArray, indices: DeviceArray, *, out: DeviceArray | None = None, stream: Any = 0
) -> DeviceArray:
    """The tokens under each unit's landmarks, zeros where masked, as `tokens.gather_tokens`.

    tokens   (B, T, D) of any number type
    indices  (B, N, L) int64 token numbers, -1 where masked
    return   out (B, N, L, D) of the tokens' type; made as float32 if not given
    """
    if out is None:
        out = cuda.device_array((*indices.shape, tokens.shape[2]), np.float32, stream=stream)
    batch, units, length = indices.shape
    launch(_gather, ((units * length, batch), THREADS, stream), tokens, indices, out)
    return out


@cuda.jit(cache=True)
def _unit_indices(landmarks, table, per_row, per_column, h, w, out):  # type: ignore[no-untyped-def]
    """One thread per place of the table, one row of blocks per face."""
    i, b = cuda.grid(1), cuda.blockIdx.y
    n, j = i // table.shape[1], i % table.shape[1]
    if n < table.shape[0]:
        p = table[n, j]
        out[b, n, j] = -1
        if p >= 0:
            out[b, n, j] = _token_of(landmarks[b, p, 0], landmarks[b, p, 1], per_row, per_column, h, w)


@cuda.jit(cache=True)
def _gather(tokens, indices, out):  # type: ignore[no-untyped-def]
    """One block per place of the table and face; its threads run along the token's width."""
    b, n, j = cuda.blockIdx.y, cuda.blockIdx.x // indices.shape[2], cuda.blockIdx.x % indices.shape[2]
    token = indices[b, n, j]
    for d in range(cuda.threadIdx.x, tokens.shape[2], cuda.blockDim.x):
        if token >= 0:
            out[b, n, j, d] = tokens[b, token, d]
        else:
            out[b, n, j, d] = 0
