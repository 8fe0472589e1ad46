"""Launch a CUDA kernel without Numba's remark that a small grid leaves much of the device idle.

Coarse pyramid levels and single faces are small by nature, and the remark is a warning on every new
size; nothing a user could do anything about.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any


def launch(kernel: Any, setting: tuple[Any, ...], *arguments: Any) -> None:
    """Run the kernel with setting (grid, block, stream) on the arguments."""
    _configure(kernel, setting)
    kernel[setting](*arguments)


@lru_cache(maxsize=1024)
def _configure(kernel: Any, setting: tuple[Any, ...]) -> None:
    """Once per setting; Numba keeps what it made, and with it the remark."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kernel[setting]
