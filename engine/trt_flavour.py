"""TensorRT and TensorRT-RTX: two packages with one programming interface, chosen by name, never guessed.

tensorrt  the data-centre and workstation builder: needs the GPU it builds for, tunes on it
rtx       TensorRT for RTX: builds for named architectures on any machine, compiles kernels when loaded
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from .errors import MicroauError


@dataclass(frozen=True, slots=True)
class Flavour:
    """Where a flavour is imported from, and from which version on this code knows it."""

    name: str
    module: str
    oldest: tuple[int, int]
    """Strongly typed networks read from ONNX with their precision inside."""
    extra: str
    """Name of the project's extra that installs it."""


FLAVOURS = {
    "tensorrt": Flavour("tensorrt", "tensorrt", (10, 12), "tensorrt"),
    "rtx": Flavour("rtx", "tensorrt_rtx", (1, 2), "tensorrt-rtx"),
}


def flavour(name: str) -> Flavour:
    """The flavour of that name; MicroauError lists those that exist."""
    if name not in FLAVOURS:
        raise MicroauError(f"no TensorRT flavour '{name}': choose one of {', '.join(FLAVOURS)}")
    return FLAVOURS[name]


def import_flavour(name: str) -> ModuleType:
    """The package itself; MicroauError where it is missing or too old."""
    wanted = flavour(name)
    try:
        module = importlib.import_module(wanted.module)
    except ImportError as error:
        raise MicroauError(
            f"the Python package {wanted.module} cannot be imported ({error}):"
            f" pip install 'microau[{wanted.extra}]'"
        ) from None
    if version_tuple(module.__version__)[:2] < wanted.oldest:
        needed = ".".join(map(str, wanted.oldest))
        raise MicroauError(f"{wanted.module} {module.__version__} is too old: {needed} or newer is needed")
    return module


def version_tuple(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparison.

    >>> version_tuple("10.12.0.36.post1")
    (10, 12, 0, 36)
    """
    numbers: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
