"""A CUDA driver and a TensorRT whose card is this machine's memory: for the code between them.

The driver keeps what is allocated, copies when it is told to, and records into graphs what would have
run. The TensorRT computes one simple function of its inputs at the addresses and shapes it was given.
Nothing here says anything about a real card; it shows what our code asks for, in which order, and
what it leaves behind.
"""

from __future__ import annotations

import ctypes
import enum
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from microau.engine import cuda_driver
from microau.engine.bundle import Bundle
from microau.engine.inference import INPUTS, OUTPUTS


class MemoryDriver:
    """Every call of `cuda_driver.PROTOTYPES` that the back end makes; each gives 0."""

    def __init__(self, cards: int = 2):
        self.cards = cards
        self.alive: Counter[str] = Counter()
        self.log: list[str] = []
        self.blocks: dict[int, Any] = {}
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self.recording: list[Callable[[], None]] | None = None

    def __getattr__(self, name: str) -> Callable[..., int]:
        method = getattr(type(self), "do_" + name.removesuffix("_v2"))

        def call(*arguments: Any) -> int:
            check_arguments(name, arguments)
            method(self, *[_plain(a) for a in arguments])
            return 0

        return call

    def do_cuInit(self, flags): ...

    def do_cuDeviceGetCount(self, count):
        count.value = self.cards

    def do_cuDeviceGet(self, device, index):
        device.value = index

    def do_cuDeviceGetName(self, name, size, device):
        name.value = f"Card {device}".encode()

    def do_cuDeviceGetAttribute(self, value, attribute, device):
        value.value = {75: 8, 76: 9}[attribute]

    def do_cuDevicePrimaryCtxRetain(self, context, device):
        context.value = 1000 + device
        self.alive["context"] += 1

    def do_cuDevicePrimaryCtxRelease(self, device):
        self.alive["context"] -= 1

    def do_cuCtxPushCurrent(self, context):
        self.alive["current"] += 1

    def do_cuCtxPopCurrent(self, context):
        self.alive["current"] -= 1

    def do_cuMemAlloc(self, address, size):
        address.value = self._allocate("card", size)

    def do_cuMemHostAlloc(self, address, size, flags):
        address.value = self._allocate("pinned", size)

    def do_cuMemFree(self, address):
        self._free("card", address)

    def do_cuMemFreeHost(self, address):
        self._free("pinned", address)

    def do_cuMemcpyHtoDAsync(self, target, source, size, stream):
        self.log.append(f"up {size}")
        ctypes.memmove(target, source, size)

    def do_cuMemcpyDtoHAsync(self, target, source, size, stream):
        ctypes.memmove(target, source, size)

    def do_cuMemcpyDtoDAsync(self, target, source, size, stream):
        self.log.append(f"across {size}")
        ctypes.memmove(target, source, size)

    def do_cuStreamCreate(self, stream, flags):
        self.alive["stream"] += 1
        stream.value = 77

    def do_cuStreamDestroy(self, stream):
        self.alive["stream"] -= 1

    def do_cuStreamSynchronize(self, stream):
        self.log.append("wait")

    def do_cuStreamWaitEvent(self, stream, event, flags):
        self.log.append(f"after {self.recorded_on}")

    def do_cuEventCreate(self, event, flags):
        event.value = 5

    def do_cuEventRecord(self, event, stream):
        self.recorded_on = stream

    def do_cuEventDestroy(self, event): ...

    def do_cuStreamBeginCapture(self, stream, mode):
        self.recording = []

    def do_cuStreamEndCapture(self, stream, graph):
        graph.value = len(self.graphs) + 1
        self.graphs[graph.value], self.recording = self.recording or [], None

    def do_cuGraphInstantiateWithFlags(self, executable, graph, flags):
        executable.value = graph
        self.alive["graph"] += 1

    def do_cuGraphDestroy(self, graph): ...

    def do_cuGraphExecDestroy(self, executable):
        self.alive["graph"] -= 1

    def do_cuGraphLaunch(self, executable, stream):
        self.log.append("launch")
        for work in self.graphs[executable]:
            work()

    def queue(self, work: Callable[[], None]) -> None:
        """Run it now, or record it."""
        if self.recording is None:
            self.log.append("execute")
            work()
        else:
            self.recording.append(work)

    def _allocate(self, kind: str, size: int) -> int:
        block = (ctypes.c_uint8 * size)(*[0xEE] * min(size, 64))  # uninitialised memory is not zero
        self.blocks[ctypes.addressof(block)] = block
        self.alive[kind] += 1
        return ctypes.addressof(block)

    def _free(self, kind: str, address: int) -> None:
        del self.blocks[address]
        self.alive[kind] -= 1


def check_arguments(name: str, arguments: tuple[Any, ...]) -> None:
    """As many as in cuda.h, and a reference where the driver writes. ctypes is silent about both: it
    makes a reference of whatever stands in a pointer's place.
    """
    kinds = cuda_driver.PROTOTYPES[name]
    assert len(arguments) == len(kinds), name
    for kind, argument in zip(kinds, arguments, strict=True):
        writes = hasattr(kind, "contents")  # POINTER(...)
        assert writes == (hasattr(argument, "_obj") or isinstance(argument, ctypes.Array)), name


def _plain(argument: Any) -> Any:
    """What a C function would see: the object behind `byref`, the number in a handle."""
    if hasattr(argument, "_obj"):
        return argument._obj
    return argument.value if isinstance(argument, ctypes.c_void_p | ctypes.c_int) else argument


class Mode(enum.Enum):
    INPUT = 0
    OUTPUT = 1


class Names(enum.Enum):
    USER_MANAGED = 1
    WHOLE_GRAPH_CAPTURE = 2
    ERROR = 3


def expected(inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What the engine answers in every output: one number per row, different for different rows."""
    return inputs["flow"].mean(axis=(1, 2, 3)) + inputs["landmarks"].sum(axis=(1, 2))


class Context:
    def __init__(self, driver: MemoryDriver, shapes: dict[str, tuple[int | None, ...]], managed: bool):
        self.driver, self.full, self.managed = driver, shapes, managed
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.scratch = not managed

    def set_device_memory(self, address, size):
        self.scratch = address in self.driver.blocks and size >= Engine.device_memory_size_v2

    def set_input_shape(self, name, shape):
        self.shapes[name] = tuple(shape)
        return True

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return address in self.driver.blocks

    def execute_async_v3(self, stream):
        if not self.scratch:
            return False
        shapes, addresses = dict(self.shapes), dict(self.addresses)
        self.driver.queue(lambda: self._compute(shapes, addresses))
        return True

    def _compute(self, shapes, addresses):
        rows = shapes["flow"][0]
        inputs = {name: _view(addresses[name], shapes[name]) for name in INPUTS}
        answer = expected(inputs)
        for name in OUTPUTS:
            shape = (rows, *self.full[name][1:])
            _view(addresses[name], shape)[:] = answer.reshape(rows, *[1] * (len(shape) - 1))


def _view(address: int, shape: tuple[int, ...]) -> np.ndarray:
    block = (ctypes.c_float * int(np.prod(shape))).from_address(address)
    return np.frombuffer(block, np.float32).reshape(shape)


class Engine:
    device_memory_size_v2 = 4096

    def __init__(self, driver: MemoryDriver, bundle: Bundle):
        self.driver, self.shapes = driver, dict(bundle.shapes)
        self.num_io_tensors = len(self.shapes)

    def get_tensor_name(self, number):
        return list(self.shapes)[number]

    def get_tensor_mode(self, name):
        return Mode.INPUT if name in INPUTS else Mode.OUTPUT

    def get_tensor_dtype(self, name):
        return np.float32

    def get_tensor_shape(self, name):
        return tuple(-1 if size is None else size for size in self.shapes[name])

    def create_runtime_config(self):
        return ModuleType("config")

    def create_execution_context(self, how):
        return Context(self.driver, self.shapes, managed=how is Names.USER_MANAGED)


def memory_tensorrt(driver: MemoryDriver, bundle: Bundle, version: str) -> Any:
    """A module with the names that the back end uses."""
    trt: Any = ModuleType("tensorrt_in_memory")

    class Runtime:
        def __init__(self, log): ...

        def deserialize_cuda_engine(self, plan):
            return Engine(driver, bundle) if plan == b"a plan" else None

    class Logger:
        Severity = Names

        def __init__(self): ...

    trt.__version__, trt.Runtime, trt.ILogger = version, Runtime, Logger
    trt.TensorIOMode, trt.ExecutionContextAllocationStrategy, trt.CudaGraphStrategy = Mode, Names, Names
    trt.nptype = lambda kind: kind
    return trt
