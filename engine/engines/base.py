"""What every back end is: a bundle opened on a device, called with arrays by name.

The base reads and checks the bundle, checks names, shapes and dtypes of every call, warms up and
closes; a back end says how to open, run and close.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle, read_bundle
from ..closing import Closing
from ..errors import MicroauError
from ..resident import resident

Array = NDArray[np.float32]
INPUTS = ("flow", "landmarks")
"""(B, 3, S, S) flow image and (B, K, 2) landmarks in crop pixels."""
OUTPUTS = ("probability", "side_probability", "features", "attention", "dependency", "emotion")
"""(B, N), (B, N, 2) subject's left and right, (B, N, D), (B, N, L) over a unit's landmarks,
(B, N) over the units, (B, R)."""
DEVICES = ("cpu", "cuda", "tensorrt")


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model runs: `cpu`, `cuda`, `cuda:1`, `tensorrt`, `tensorrt:1`."""

    kind: str = "cpu"
    index: int = 0

    @classmethod
    def parse(cls, text: str) -> Device:
        """From the words of the command line.

        >>> Device.parse("cuda:1")
        Device(kind='cuda', index=1)
        """
        kind, colon, index = text.partition(":")
        if kind not in DEVICES or (colon and (kind == "cpu" or not index.isdecimal())):
            raise MicroauError(f"device {text!r}: not one of cpu, cuda, cuda:N, tensorrt, tensorrt:N.")
        return cls(kind, int(index or 0))

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}"


class Engine(Closing):
    """A bundle opened on a device. Closing twice is harmless; `with` closes."""

    def __init__(self, path: str | Path, device: Device | None = None, threads: int = 1) -> None:
        self.device = device or Device()
        self.threads = threads
        self.bundle = self._read(Path(path))
        self._opened = True
        self._open()
        try:
            self(self._example(1))  # the first run allocates and chooses kernels: not in a live stream
        except BaseException:
            self.close()
            raise

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, arrays of the caller's own on the host; inputs by name, float32, batch first.

        Inputs may lie on the engine's own GPU (`__cuda_array_interface__`), all or none: they are taken
        from there, once the stream that they name has made them.
        """
        if not self._opened:
            raise RuntimeError(f"{self}: is closed")
        self._check(inputs)
        return self._run(inputs)

    def close(self) -> None:
        if self._opened:
            self._opened = False
            self._close()

    def __str__(self) -> str:
        return f"{self.bundle.path} on {self.device}"

    def _read(self, path: Path) -> Bundle:
        """The bundle of a model file; a back end whose file is no ONNX says where its bundle lies."""
        return read_bundle(path)

    @abstractmethod
    def _open(self) -> None:
        """Load `self.bundle` on `self.device`; MicroauError where that cannot be done."""

    @abstractmethod
    def _run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Checked inputs -> outputs by name."""

    @abstractmethod
    def _close(self) -> None:
        """Give back what `_open` took."""

    def _example(self, batch: int) -> dict[str, Array]:
        shapes = {name: self.bundle.shapes[name] for name in INPUTS}
        return {
            name: np.zeros([batch if n is None else n for n in shape], np.float32)
            for name, shape in shapes.items()
        }

    def _check(self, inputs: Mapping[str, Array]) -> None:
        if set(inputs) != set(INPUTS):
            raise ValueError(f"{self}: takes {', '.join(INPUTS)}, was given {', '.join(inputs)}")
        for name, array in inputs.items():
            self._check_one(name, array, self.bundle.shapes[name])
        lengths = {len(array) for array in inputs.values()}
        if len(lengths) != 1:
            raise ValueError(f"{self}: inputs of one batch, was given lengths {sorted(lengths)}")

    def _check_one(self, name: str, array: Array, shape: tuple[int | None, ...]) -> None:
        there = resident(array)
        found, dtype = (array.shape, array.dtype) if there is None else (there.shape, there.dtype)
        fits = len(found) == len(shape) and all(
            want in (None, got) for want, got in zip(shape, found, strict=True)
        )
        if not fits or dtype != np.float32:
            wanted = tuple("batch" if n is None else n for n in shape)
            raise ValueError(f"{self}: {name} must be {wanted} float32, was given {tuple(found)} {dtype}")
        if there is not None and self.device.kind == "cpu":
            raise ValueError(f"{self}: {name} lies on a GPU, where this engine cannot read it")
