"""Arrays that lie on a GPU already: where, in which order they become ready, and whether we can take them.

Whatever has the CUDA array interface counts: Numba, CuPy, PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

LEGACY = 1
"""Handle of the default stream. A maker that names no stream (PyTorch) is taken to work there."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A contiguous array on the device."""

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stream: int
    """What is to be waited for before it is read."""


def resident(array: Any) -> Resident | None:
    """Where an array lies on the GPU; None: it lies on the host.

    Raises ValueError where it has gaps: a copy on the device would be needed, which is the caller's.
    """
    record = getattr(array, "__cuda_array_interface__", None)
    if record is None:
        return None
    dtype, shape = np.dtype(record["typestr"]), tuple(record["shape"])
    if not _contiguous(record.get("strides"), shape, dtype.itemsize):
        raise ValueError("an array on the GPU must be contiguous")
    return Resident(int(record["data"][0]), shape, dtype, int(record.get("stream") or LEGACY))


def _contiguous(strides: tuple[int, ...] | None, shape: tuple[int, ...], size: int) -> bool:
    """Row after row; strides that say so are as good as none."""
    if strides is None or 0 in shape:
        return True
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1 and stride != size:
            return False
        size *= length
    return True
