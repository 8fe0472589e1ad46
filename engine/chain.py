"""From pairs of face crops to what the model says of them: the chain behind every event.

    chain = open_chain("model.onnx", "cuda")
    outputs = chain({"onset": onsets, "apex": apexes, "points": points})

A chain is called like an engine, with a batch of pairs in place of its inputs, so that requests of many
faces and streams can be put together (`batching`). Its outputs are the engine's, and `moved`: how far
the named points of the face went. On a GPU everything between the crops and these small arrays stays on
the device; on a CPU the pairs run one by one, which is as fast there and makes batches change nothing.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batch_sizes import parts, sizes
from .bundle import Bundle
from .explain import measure
from .facial_flow import RUNTIME, facial_flow
from .flow_image import flow_image
from .inference import Array, Engine, open_engine
from .tvl1 import Tvl1

Pairs = Mapping[str, NDArray[Any]]
"""onset, apex (B, 224, 224) uint8, cut with the same matrix; points (B, 478, 3) float32 at the onset."""
Outputs = dict[str, Array]
"""The engine's, and moved (B, P, 2) percent OED in the order of `explain.NAMED`."""
LARGEST = 8
"""Pairs that are computed at once on a GPU."""


class Chain(ABC):
    """All of it on one device; owns its engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._turn = threading.Lock()  # engines are for one thread at a time

    @property
    def bundle(self) -> Bundle:
        return self.engine.bundle

    @abstractmethod
    def __call__(self, pairs: Pairs) -> Outputs:
        """Rows in the order of the pairs."""

    def of_flow(self, flow: Array, points: Array) -> Outputs:
        """One row, without the batch, of a facial flow (224, 224, 2) on the host."""
        inputs = {
            "flow": flow_image(flow, self.bundle.flow)[None],
            "landmarks": points[None, self.bundle.positions(), :2].astype(np.float32),
        }
        with self._turn:
            outputs = {name: array[0] for name, array in self.engine(inputs).items()}
        return outputs | {"moved": measure(flow, points)}

    def close(self) -> None:
        self.engine.close()


class CpuChain(Chain):
    """One pair after the other. Several threads may call it: they take turns at the engine alone."""

    def __call__(self, pairs: Pairs) -> Outputs:
        together = zip(pairs["onset"], pairs["apex"], pairs["points"], strict=True)
        params = Tvl1(**self.bundle.flow.parameters)  # type: ignore[arg-type]
        rows = [self.of_flow(facial_flow(*pair, params), pair[2]) for pair in together]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


class CudaChain(Chain):
    """Crops go up once; flow, head motion, image, landmarks and model run there; small arrays come down.

    largest   pairs at once; fewer are filled up to 1, 2, 4, ..., more are cut
    """

    def __init__(self, engine: Engine, largest: int = LARGEST) -> None:
        super().__init__(engine)
        from .cuda_record import Recorder
        from .facial_flow_cuda import FacialFlowCuda
        from .numba_cuda import cuda
        from .tvl1_cuda import require_cuda

        require_cuda(engine.device.index)
        self._card = cuda.gpus[engine.device.index]
        self._sizes = sizes(1, largest)
        with self._card:
            self._recorder = Recorder()
            known = self.bundle.flow, self.bundle.landmarks, self._recorder.stream
            self._flows = {size: FacialFlowCuda(size, *known) for size in self._sizes}
            self._runs = {size: self._recorder.record(flow.queue) for size, flow in self._flows.items()}
        self(_blank(self.bundle.flow.crop))  # what the engine does once, too, is not done in a live stream

    def __call__(self, pairs: Pairs) -> Outputs:
        rows = len(pairs["onset"])
        with self._card:
            pieces = [self._part(pairs, *part) for part in parts(rows, self._sizes)]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def close(self) -> None:
        try:
            with self._card:
                self._runs.clear()
                self._recorder.close()
                self._flows.clear()  # and with them their buffers
        finally:
            super().close()

    def _part(self, pairs: Pairs, start: int, stop: int, size: int) -> Outputs:
        flow, count = self._flows[size], stop - start
        flow.send(*(pairs[name][start:stop] for name in ("onset", "apex", "points")))
        self._runs[size]()
        # Waited for here, so that the engine may read the inputs on whichever stream it likes.
        moved = flow.moved()[:count]
        inputs = {"flow": flow.image[:count], "landmarks": flow.landmarks[:count]}
        return self.engine(inputs) | {"moved": moved}


def _blank(crop: int) -> Pairs:
    points = np.random.default_rng(0).uniform(0, crop, (1, 478, 3)).astype(np.float32)
    picture = np.zeros((1, crop, crop), np.uint8)
    return {"onset": picture, "apex": picture, "points": points}


def open_chain(path: str | Path, device: str = "cpu", threads: int = 1, rebuild: str = "never") -> Chain:
    """The chain of a model on a device; arguments as `open_engine`.

    Raises MicroauError where the model was trained on another flow, or the device is not there.
    """
    engine = open_engine(path, device, threads, rebuild)
    try:
        flow = engine.bundle.flow
        flow.require(replace(RUNTIME, size=flow.size), str(path))  # the image is made in the model's size
        return CpuChain(engine) if engine.device.kind == "cpu" else CudaChain(engine)
    except BaseException:
        engine.close()
        raise
