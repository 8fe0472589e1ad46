"""A torch module run from recorded CUDA graphs, one per batch size: at small batches launching the
kernels one by one costs more than running them.

Batches between the recorded sizes are filled up with zeros, larger ones are cut. On a CPU the module
is called as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .batch_sizes import parts
from .resident import LEGACY, resident

WARM_UP = 3
"""Runs before recording: memory is reserved and kernels are chosen in them."""


class TorchGraphs:
    """Takes arrays on the host or on the device, gives tensors on the device.

    module   inputs in the order of `shapes`; gives a tensor or a tuple of tensors, batch first
    shapes   input name -> shape without the batch
    known    batch sizes to record, rising
    """

    def __init__(
        self,
        module: nn.Module,
        shapes: Mapping[str, tuple[int, ...]],
        known: Sequence[int],
        device: torch.device,
    ):
        self.module, self.shapes, self.known = module.to(device).eval(), shapes, tuple(known)
        self.device = device
        self._recorded: dict[int, _Recorded] = {}
        if device.type == "cuda":
            # One pool of memory, the largest first: results are copied out before another one runs.
            self._pool = torch.cuda.graph_pool_handle()
            for size in reversed(self.known):
                self._recorded[size] = self._record(size)

    def __call__(self, inputs: Mapping[str, NDArray[np.float32] | Tensor]) -> list[Tensor]:
        """Outputs in the module's order, tensors of the caller's own."""
        rows = len(next(iter(inputs.values())))
        arrays = [self._tensor(inputs[name]) for name in self.shapes]
        if not self._recorded:
            return self._plain([array.to(self.device) for array in arrays])
        pieces = [self._piece(arrays, *part) for part in parts(rows, self.known)]
        return [torch.cat(together) for together in zip(*pieces, strict=True)]

    def _tensor(self, array: NDArray[np.float32] | Tensor) -> Tensor:
        """The array as a tensor, without a copy; torch's stream waits for the one that makes it."""
        place = None if isinstance(array, Tensor) else resident(array)
        if place is not None and place.stream != LEGACY:
            made: Any = torch.cuda.ExternalStream(place.stream, self.device)  # type: ignore[no-untyped-call]
            torch.cuda.current_stream(self.device).wait_stream(made)
        return torch.as_tensor(array, device=None if place is None else self.device)

    def _piece(self, arrays: Sequence[Tensor], start: int, stop: int, size: int) -> list[Tensor]:
        recorded = self._recorded[size]
        for held, array in zip(recorded.inputs, arrays, strict=True):
            held[: stop - start].copy_(array[start:stop], non_blocking=True)
            held[stop - start :].zero_()
        recorded.graph.replay()
        return [held[: stop - start].clone() for held in recorded.outputs]

    def _record(self, size: int) -> _Recorded:
        with torch.cuda.device(self.device):
            inputs = [torch.zeros((size, *shape), device=self.device) for shape in self.shapes.values()]
            self._warm_up(inputs)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                outputs = self._plain(inputs)
            return _Recorded(graph, inputs, outputs)

    def _warm_up(self, inputs: Sequence[Tensor]) -> None:
        """On a stream beside the default one, as recording itself is."""
        here: Any = torch.cuda.current_stream()
        side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(here)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._plain(inputs)
        here.wait_stream(side)

    def _plain(self, arrays: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad():
            given = self.module(*arrays)
        return list(given) if isinstance(given, tuple) else [given]


class _Recorded:
    """One batch size's graph and the tensors that it reads and writes."""

    def __init__(self, graph: Any, inputs: list[Tensor], outputs: list[Tensor]):
        self.graph, self.inputs, self.outputs = graph, inputs, outputs
