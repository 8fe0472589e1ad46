"""Launch a CUDA kernel without Numba's remark that a small grid leaves much of the device idle.

Coarse pyramid levels and single faces are small by nature, and the remark is a warning on every new
size; nothing a user could do anything about. What Numba makes of a setting is kept here: it forgets all
but the last 128, fewer than the levels, kernels and batch sizes of one process.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

from .numba_cuda import config


def launch(kernel: Any, setting: tuple[Any, ...], *arguments: Any) -> None:
    """Run the kernel with setting (grid, block, stream) on the arguments."""
    if config.ENABLE_CUDASIM:  # its kernels are their own, changing, setting
        kernel[setting](*arguments)
    else:
        _configured(kernel, setting)(*arguments)


@lru_cache(maxsize=4096)
def _configured(kernel: Any, setting: tuple[Any, ...]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kernel[setting]
