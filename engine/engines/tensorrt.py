"""TensorRT and TensorRT-RTX: an engine file run on the GPU that it was built for.

Copies go through page-locked buffers on a stream of our own. The work of each batch size is recorded
once as a CUDA graph; other batches are filled up with zeros to the next recorded size. Inputs that
lie on this GPU already (`__cuda_array_interface__`) are taken from there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..batch_sizes import parts, sizes
from ..bundle import KEY, Bundle, bundle_from
from ..cuda_driver import Block, Buffer, Device, Graph, Stream
from ..engine_file import (
    EngineCard,
    EngineRefused,
    Machine,
    check_fit,
    onnx_beside,
    read_card,
    read_plan,
)
from ..errors import MicroauError
from ..resident import resident
from ..trt_flavour import import_flavour
from .base import OUTPUTS, Array, Engine


class TensorRtEngine(Engine):
    """Runs a plan; refuses one that is not described, was changed, or was built for another place."""

    def _read(self, path: Path) -> Bundle:
        if not path.is_file():
            raise MicroauError(f"{path}: no such engine file")
        self._card = read_card(path)
        if KEY not in self._card.metadata:
            raise MicroauError(f"{path}: was built from an ONNX file that is no microau bundle")
        return bundle_from(self._card.metadata, path)

    def _open(self) -> None:
        if self.device.kind == "cpu":
            raise MicroauError(f"{self.bundle.path}: a TensorRT engine needs a GPU: --device tensorrt")
        self._trt: Any = import_flavour(self._card.options.flavour)
        with ExitStack() as undo:
            self._gpu = self._claim_gpu()
            undo.callback(self._gpu.close)
            with self._gpu.current():
                plan = _load(self._trt, self.bundle.path, self._card, self._gpu)
                self._runner = _runner(self._trt, plan, self._card)
            undo.pop_all()

    def _claim_gpu(self) -> Device:
        try:
            return Device(self.device.index)
        except MicroauError as error:
            instead = "--device cpu runs the .onnx file"
            raise MicroauError(f"device {self.device}: {error}; {instead}") from error

    def _run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        with self._gpu.current():
            return self._runner.run(inputs)

    def _close(self) -> None:
        with self._gpu.current():
            self._runner.close()
            del self._runner  # and with it TensorRT's own memory on this card
        self._gpu.close()


def build_again(path: Path, device: int = 0) -> None:
    """Build a refused engine for this machine from the ONNX file beside it, in another process.

    EngineRefused where the card or the ONNX file is missing: nothing says what to build.
    """
    card = read_card(path)
    onnx = onnx_beside(path, card)
    options = card.options
    if options.targets:  # the named architectures did not include this GPU, or it would not be refused
        options = replace(options, targets=("current",))
    command = [sys.executable, "-m", f"{__name__.partition('.')[0]}.export.build_trt"]
    command += ["--onnx", str(onnx), "--out", str(path), "--device", str(device), *options.arguments()]
    print(f"{path}: building it again from {onnx.name}", file=sys.stderr)
    if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
        raise MicroauError(f"{path}: could not be built again from {onnx}")


def _load(trt: Any, path: Path, card: EngineCard, gpu: Device) -> Any:
    """The deserialised engine, weights in place."""
    here = Machine(trt.__version__, gpu.gpu.name, gpu.gpu.compute_capability)
    check_fit(path, card, here)
    log = _log(trt)
    runtime = trt.Runtime(log)
    # A version-compatible plan brings its own small runtime: that is why it is asked for by name.
    runtime.engine_host_code_allowed = card.options.version_compatible
    engine = runtime.deserialize_cuda_engine(read_plan(path, card))
    if engine is None:
        raise EngineRefused(f"{path}: TensorRT cannot open it: {log.last}")
    if card.options.strip:
        _refit(trt, engine, onnx_beside(path, card), log)
    return engine


def _refit(trt: Any, engine: Any, onnx: Path, log: Any) -> None:
    refitter = trt.Refitter(engine, log)
    parser, weights = trt.OnnxParserRefitter(refitter, log), onnx.read_bytes()
    # The refitter keeps addresses alone: parser and file stay until the weights are in the engine.
    if not parser.refit_from_bytes(weights) or not refitter.refit_cuda_engine():
        raise EngineRefused(f"{onnx}: its weights do not fit the stripped engine: {log.last}")


def _log(trt: Any) -> Any:
    class Log(trt.ILogger):  # type: ignore[misc]
        """Keeps the last error, to be told in our one line."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last = "it says no reason"

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.Severity.ERROR:
                self.last = message

    return Log()


def _runner(trt: Any, engine: Any, card: EngineCard) -> _Runner:
    kind = _RtxRunner if card.options.flavour == "rtx" else _GraphRunner
    return kind(trt, engine, card)


class _Runner:
    """Buffers and stream of one engine; how a batch size is launched is the subclasses' matter."""

    def __init__(self, trt: Any, engine: Any, card: EngineCard):
        self.trt, self.engine, self.card = trt, engine, card
        smallest, _, largest = next(iter(card.profile.values()))
        self.sizes = sizes(smallest[0], largest[0])
        with ExitStack() as undo:
            self.stream = Stream()
            undo.callback(self.stream.close)
            self.buffers = {name: self._buffer(undo, name) for name in _tensors(engine)}
            self.prepare(undo)
            self._undo = undo.pop_all()

    def prepare(self, undo: ExitStack) -> None:
        """Everything that the first run would otherwise wait for."""
        raise NotImplementedError

    def launch(self, size: int) -> None:
        """Queue one run over the first `size` rows of the buffers."""
        raise NotImplementedError

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        rows = len(next(iter(inputs.values())))
        given = {name: np.empty((rows, *self.buffers[name].shape[1:]), np.float32) for name in OUTPUTS}
        for start, stop, size in parts(rows, self.sizes):
            for name, array in inputs.items():
                self._give(self.buffers[name], array[start:stop], size)
            self.launch(size)
            for name in OUTPUTS:
                self.buffers[name].download(stop - start, self.stream)
            self.stream.synchronize()
            for name, out in given.items():
                out[start:stop] = self.buffers[name].host[: stop - start]
        return given

    def close(self) -> None:
        self.stream.synchronize()
        self._undo.close()

    def _give(self, buffer: Buffer, array: Array, size: int) -> None:
        """Rows into a buffer on the GPU, zeros behind them up to `size`."""
        rows, place = len(array), resident(array)
        buffer.host[rows:size] = 0
        if place is None:
            buffer.host[:rows] = array
        if place is None or rows < size:
            buffer.upload(size, self.stream)
        if place is not None:  # once the stream that makes it has done so
            self.stream.wait_for(place.stream)
            buffer.take(place.address, rows, self.stream)

    def _buffer(self, undo: ExitStack, name: str) -> Buffer:
        shape = self.engine.get_tensor_shape(name)
        largest = (self.sizes[-1], *tuple(shape)[1:])
        buffer = Buffer(largest, self.trt.nptype(self.engine.get_tensor_dtype(name)))
        undo.callback(buffer.close)
        buffer.host[:] = 0  # the first runs compute on it: tokens are gathered by these numbers
        buffer.upload(self.sizes[-1], self.stream)
        return buffer

    def _bind(self, context: Any, size: int) -> None:
        """Shapes and addresses of one batch size."""
        for name, buffer in self.buffers.items():
            if self.engine.get_tensor_mode(name) == self.trt.TensorIOMode.INPUT:
                _require(context.set_input_shape(name, (size, *buffer.shape[1:])), f"shape of {name}")
            _require(context.set_tensor_address(name, buffer.address), f"address of {name}")

    def _execute(self, context: Any) -> None:
        _require(context.execute_async_v3(self.stream.address), "run")


class _GraphRunner(_Runner):
    """TensorRT: one context and one recorded graph per batch size, all with the same scratch memory."""

    def prepare(self, undo: ExitStack) -> None:
        scratch = Block(self.engine.device_memory_size_v2)
        undo.callback(scratch.close)
        self.contexts = {size: self._context(size, scratch) for size in self.sizes}
        self.graphs = {size: self._record(undo, size) for size in self.sizes}
        undo.callback(self.contexts.clear)

    def launch(self, size: int) -> None:
        self.graphs[size].launch(self.stream)

    def _context(self, size: int, scratch: Block) -> Any:
        strategy = self.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = self.engine.create_execution_context(strategy)
        context.set_device_memory(scratch.address, scratch.nbytes)
        self._bind(context, size)
        return context

    def _record(self, undo: ExitStack, size: int) -> Graph:
        context = self.contexts[size]
        self._execute(context)  # the first run does what a new shape needs, which cannot be recorded
        self.stream.synchronize()
        with self.stream.capture() as graph:
            self._execute(context)
        undo.callback(graph.close)
        return graph


class _RtxRunner(_Runner):
    """TensorRT-RTX: it records graphs itself, after it has compiled the kernels of a batch size."""

    def prepare(self, undo: ExitStack) -> None:
        config = self.engine.create_runtime_config()
        config.cuda_graph_strategy = self.trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self.context = self.engine.create_execution_context(config)
        undo.callback(delattr, self, "context")
        for size in self.sizes:
            self.launch(size)
        self.stream.synchronize()

    def launch(self, size: int) -> None:
        self._bind(self.context, size)
        self._execute(self.context)


def _tensors(engine: Any) -> list[str]:
    return [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]


def _require(done: bool, what: str) -> None:
    if not done:
        raise RuntimeError(f"TensorRT refused the {what}")
