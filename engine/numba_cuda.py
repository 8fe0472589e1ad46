"""`numba.cuda`, which every kernel of this project is made with: imported from here, so that it loads.

    from .numba_cuda import cuda

numba-cuda, to 0.30.4, asks NumPy for `row_stack` while it loads. NumPy 2.5 has it no longer, and every
kernel would end in an AttributeError; it is lent the name for that moment.
"""

from __future__ import annotations

import importlib

import numpy as np
from numba import config, cuda

__all__ = ["config", "cuda"]

GONE = "row_stack"
"""It meant `numpy.vstack`."""
MODULE = "numba.cuda.np.arrayobj"


def _load_array_functions() -> None:
    """Load the module of numba-cuda that asks; Numba's own `numba.cuda` has none, nor need of one."""
    setattr(np, GONE, np.vstack)
    try:
        importlib.import_module(MODULE)
    except ModuleNotFoundError as error:
        if error.name != MODULE:
            raise
    finally:
        delattr(np, GONE)


if not config.ENABLE_CUDASIM and not hasattr(np, GONE):
    _load_array_functions()
