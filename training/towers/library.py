"""open_clip, also beside a torch that was built without CUDA.

open_clip imports torchvision, whose compiled half is built for one torch alone. Beside a CPU build of
torch the operators `nms` and `qnms` are then missing, and the import fails although nothing here
needs them. Their schemas are declared in that case, and in no other.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import torch

from ...engine.errors import MicroauError

MISSING = ("nms", "qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[torch.library.Library] = []  # the declaration lives as long as its object


@cache
def open_clip() -> Any:
    """The package. MicroauError where it is not installed."""
    import_torchvision()
    try:
        import open_clip as package
    except ModuleNotFoundError as error:
        raise MicroauError(f"{error.name} is missing: pip install 'microau[train]'") from None
    return package


def import_torchvision() -> None:
    """Import it plainly; where that fails for want of its operators, declare them and import again."""
    try:
        import torchvision
    except ModuleNotFoundError as error:
        raise MicroauError(f"{error.name} is missing: pip install 'microau[train]'") from None
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _forget("torchvision")
        _declare()
        import torchvision  # noqa: F401


def _declare() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in MISSING:
        library.define(name + SCHEMA)  # type: ignore[no-untyped-call]
    _declared.append(library)


def _forget(package: str) -> None:
    """What the failed import left behind would be half a package."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
