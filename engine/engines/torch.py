"""torch: the bundle's own graph in a torch process, on its CPU or recorded as CUDA graphs.

Not chosen by a file's ending: `TorchEngine("model.onnx", Device("cuda"))`. It is meant for programs
that have torch anyway, and as a check of the other back ends. Inputs that lie on the GPU already
(`__cuda_array_interface__`) are taken from there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ..batch_sizes import sizes
from ..errors import MicroauError
from ..torch_graphs import TorchGraphs
from .base import OUTPUTS, Array, Engine
from .onnx_torch import OnnxModule

LARGEST = 64
"""Rows of the largest recorded graph; larger batches are cut."""


class TorchEngine(Engine):
    """Runs the bundle's operators one by one in torch."""

    def _open(self) -> None:
        module = OnnxModule(self.bundle.path.read_bytes())
        shapes = {name: _without_batch(self.bundle.shapes[name]) for name in module.inputs}
        self._order = module.outputs
        self._graphs = TorchGraphs(module, shapes, sizes(1, LARGEST), self._place())

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


def _without_batch(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)
