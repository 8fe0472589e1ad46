"""torch: the bundle's own graph in a torch process, on its CPU or recorded as CUDA graphs.

Not chosen by a file's ending: `TorchEngine("model.onnx", Device("cuda"))`. It is meant for programs
that have torch anyway, and as a check of the other back ends. Inputs that lie on the GPU already
(`__cuda_array_interface__`) are taken from there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

from ..batch_sizes import sizes
from ..errors import MicroauError
from ..torch_graphs import TorchGraphs
from .base import OUTPUTS, Array, Engine
from .onnx_torch import OnnxModule

_TURN = threading.Lock()
LARGEST = 64
"""Rows of the largest recorded graph; larger batches are cut."""


class TorchEngine(Engine):
    """Runs the bundle's operators one by one in torch."""

    def _open(self) -> None:
        module = OnnxModule(self.bundle.path.read_bytes())
        shapes = {name: _without_batch(self.bundle.shapes[name]) for name in module.inputs}
        self._order = module.outputs
        place = self._place()
        with exact_convolutions() if place.type == "cuda" else nullcontext():
            self._graphs = TorchGraphs(module, shapes, sizes(1, LARGEST), place)  # recorded as it is now

    def _place(self) -> torch.device:
        kind, index = self.device.kind, self.device.index
        if kind == "tensorrt":
            raise MicroauError("the torch back end runs on cpu or cuda")
        if kind == "cuda" and index >= torch.cuda.device_count():
            found = f"torch {torch.__version__} finds {torch.cuda.device_count()} GPU(s)"
            raise MicroauError(f"device {self.device}: {found}; use --device cpu")
        return torch.device(kind, index)

    def _run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        given = dict(zip(self._order, self._graphs(inputs), strict=True))
        return {name: np.asarray(given[name].cpu(), np.float32) for name in OUTPUTS}

    def _close(self) -> None:
        del self._graphs


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Within, factors of fp32 convolutions keep their 23 bits: torch lets cuDNN round them to 10 (TF32).

    Products of matrices are not rounded unless the program asks for it. The setting is the process's own:
    one thread at a time.
    """
    settings: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    with _TURN:
        before = settings.fp32_precision
        settings.fp32_precision = "ieee"
        try:
            yield
        finally:
            settings.fp32_precision = before


def _without_batch(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)
