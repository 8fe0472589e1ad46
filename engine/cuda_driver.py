"""The little of the CUDA driver that an engine needs: memory, streams, graphs; through ctypes alone.

`libcuda` comes with every NVIDIA driver, so a machine that can run a GPU engine already has it: no
package is added for twenty calls. The device's primary context is used, the one that the CUDA
runtime, Numba and torch share, so their device pointers are ours too.

A driver that is missing or a card that is full is the user's to mend (`MicroauError`); every other
failed call is a bug of ours (`CudaError`).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_char, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_ulonglong, c_void_p
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import MicroauError

_P = ctypes.POINTER
PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuDeviceGetCount": (_P(c_int),),
    "cuDeviceGet": (_P(c_int), c_int),
    "cuDeviceGetName": (_P(c_char), c_int, c_int),
    "cuDeviceGetAttribute": (_P(c_int), c_int, c_int),
    "cuDevicePrimaryCtxRetain": (_P(c_void_p), c_int),
    "cuDevicePrimaryCtxRelease_v2": (c_int,),
    "cuCtxPushCurrent_v2": (c_void_p,),
    "cuCtxPopCurrent_v2": (_P(c_void_p),),
    "cuMemAlloc_v2": (_P(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemHostAlloc": (_P(c_void_p), c_size_t, c_uint),
    "cuMemFreeHost": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    "cuMemcpyDtoDAsync_v2": (c_uint64, c_uint64, c_size_t, c_void_p),
    "cuStreamCreate": (_P(c_void_p), c_uint),
    "cuStreamSynchronize": (c_void_p,),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamWaitEvent": (c_void_p, c_void_p, c_uint),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, _P(c_void_p)),
    "cuGraphInstantiateWithFlags": (_P(c_void_p), c_void_p, c_ulonglong),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphExecDestroy": (c_void_p,),
    "cuGraphDestroy": (c_void_p,),
    "cuEventCreate": (_P(c_void_p), c_uint),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventDestroy_v2": (c_void_p,),
    "cuGetErrorString": (c_int, _P(c_char_p)),
}
"""Every call that is made, with its arguments as in CUDA 13's cuda.h; each returns a CUresult."""

OUT_OF_MEMORY, NO_DEVICE = 2, 100
COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR = 75, 76
STREAM_NON_BLOCKING = 1
EVENT_DISABLE_TIMING = 2
CAPTURE_THREAD_LOCAL = 1  # other threads (the flow's kernels, another engine) may go on meanwhile


class CudaError(RuntimeError):
    """A driver call failed for a reason that no user can mend."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One card of this machine."""

    index: int
    """As in `cuda:1`."""
    name: str
    """As the driver says, e.g. 'NVIDIA H200'."""
    compute_capability: tuple[int, int]
    """E.g. (9, 0)."""


@cache
def _library() -> ctypes.CDLL:
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        raise MicroauError(f"no NVIDIA driver here ({name} not found)") from None
    for function, arguments in PROTOTYPES.items():
        getattr(library, function).argtypes = arguments
        getattr(library, function).restype = c_int
    return library


def _call(function: str, *arguments: Any) -> None:
    code = getattr(_library(), function)(*arguments)
    if code == 0:
        return
    text = c_char_p()
    _library().cuGetErrorString(code, ctypes.byref(text))
    reason = (text.value or b"unknown error").decode()
    if code == OUT_OF_MEMORY:
        raise MicroauError(f"the GPU has no memory left ({function}): use a smaller batch or another card")
    if code == NO_DEVICE:
        raise MicroauError("the NVIDIA driver finds no GPU")
    raise CudaError(f"{function}: {reason} ({code})")


def _created(function: str, *arguments: Any) -> c_void_p:
    """The handle that `function` writes to its first argument."""
    handle = c_void_p()
    _call(function, ctypes.byref(handle), *arguments)
    return handle


def gpus() -> tuple[Gpu, ...]:
    """Every card that the driver shows. MicroauError where there is no driver or none at all."""
    _call("cuInit", 0)
    count = c_int()
    _call("cuDeviceGetCount", ctypes.byref(count))
    return tuple(_gpu(index) for index in range(count.value))


def gpu(index: int) -> Gpu:
    """Card `index`, counted from 0. MicroauError where it does not exist."""
    found = gpus()
    if not 0 <= index < len(found):
        raise MicroauError(f"cuda:{index}: this machine has {len(found)} GPU(s), counted from cuda:0")
    return found[index]


def _gpu(index: int) -> Gpu:
    device = c_int()
    _call("cuDeviceGet", ctypes.byref(device), index)
    name = ctypes.create_string_buffer(256)
    _call("cuDeviceGetName", name, len(name), device)
    major, minor = (
        _attribute(attribute, device) for attribute in (COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR)
    )
    return Gpu(index, name.value.decode(), (major, minor))


def _attribute(attribute: int, device: c_int) -> int:
    value = c_int()
    _call("cuDeviceGetAttribute", ctypes.byref(value), attribute, device)
    return value.value


class Device:
    """One card's primary context, held until `close`."""

    def __init__(self, index: int):
        self.gpu = gpu(index)
        self._context: c_void_p | None = _created("cuDevicePrimaryCtxRetain", index)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Within, this thread's CUDA calls go to this card; before and after, to whichever they did."""
        _call("cuCtxPushCurrent_v2", self._context)
        try:
            yield
        finally:
            _call("cuCtxPopCurrent_v2", ctypes.byref(c_void_p()))

    def close(self) -> None:
        if self._context is not None:
            self._context = None
            _call("cuDevicePrimaryCtxRelease_v2", self.gpu.index)


class Block:
    """Bytes on the card, uninitialised."""

    def __init__(self, nbytes: int):
        self.nbytes = max(1, nbytes)  # the driver refuses an empty one
        address = c_uint64()
        _call("cuMemAlloc_v2", ctypes.byref(address), self.nbytes)
        self.address = address.value

    def close(self) -> None:
        _call("cuMemFree_v2", self.address)


class Buffer:
    """An array twice: page-locked on the host and on the card, so that copies run beside kernels.

    shape, dtype  of the whole; a smaller batch uses the first rows
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike):
        self.dtype = np.dtype(dtype)
        self.shape = shape
        count = int(np.prod(shape))
        self._block = Block(count * self.dtype.itemsize)
        self._pinned = self._pin()
        size = self._block.nbytes
        host = memoryview((ctypes.c_uint8 * size).from_address(self._pinned.value or 0))
        self.host: NDArray[Any] = np.frombuffer(host, self.dtype, count).reshape(shape)

    @property
    def address(self) -> int:
        return self._block.address

    def _pin(self) -> c_void_p:
        try:
            return _created("cuMemHostAlloc", self._block.nbytes, 0)
        except BaseException:
            self._block.close()
            raise

    def upload(self, rows: int, stream: Stream) -> None:
        """First `rows` of the host array to the card; returns before it is done."""
        size = self._size(rows)
        _call("cuMemcpyHtoDAsync_v2", self.address, self._pinned, size, stream.handle)

    def download(self, rows: int, stream: Stream) -> None:
        """First `rows` on the card to the host array; there once the stream is synchronised."""
        size = self._size(rows)
        _call("cuMemcpyDtoHAsync_v2", self._pinned, self.address, size, stream.handle)

    def take(self, address: int, rows: int, stream: Stream) -> None:
        """First `rows` from another array on the same card."""
        _call("cuMemcpyDtoDAsync_v2", self.address, address, self._size(rows), stream.handle)

    def _size(self, rows: int) -> int:
        return self._block.nbytes // self.shape[0] * rows

    def close(self) -> None:
        """Free both; the host array must not be used afterwards."""
        self.host = np.empty((0, *self.shape[1:]), self.dtype)
        _call("cuMemFreeHost", self._pinned)
        self._block.close()


class Stream:
    """A queue of work on the card, in order, beside all others."""

    def __init__(self) -> None:
        self.handle = _created("cuStreamCreate", STREAM_NON_BLOCKING)

    @property
    def address(self) -> int:
        return self.handle.value or 0

    def synchronize(self) -> None:
        """Wait until everything queued here is done."""
        _call("cuStreamSynchronize", self.handle)

    def wait_for(self, other: int) -> None:
        """What is queued here from now on waits for what stands in stream `other` now."""
        event = _created("cuEventCreate", EVENT_DISABLE_TIMING)
        _call("cuEventRecord", event, c_void_p(other))
        _call("cuStreamWaitEvent", self.handle, event, 0)
        _call("cuEventDestroy_v2", event)  # the driver keeps it until the wait is over

    @contextmanager
    def capture(self) -> Iterator[Graph]:
        """Within, work is recorded into the graph instead of run."""
        graph = Graph()
        _call("cuStreamBeginCapture_v2", self.handle, CAPTURE_THREAD_LOCAL)
        try:
            yield graph
        except BaseException:
            self._drop_capture()
            raise
        recorded = c_void_p()
        _call("cuStreamEndCapture", self.handle, ctypes.byref(recorded))
        graph.take(recorded)

    def _drop_capture(self) -> None:
        graph = c_void_p()
        # Unchecked: a broken capture ends with an error of its own, and the first one is to be seen.
        _library().cuStreamEndCapture(self.handle, ctypes.byref(graph))
        if graph:
            _call("cuGraphDestroy", graph)

    def close(self) -> None:
        _call("cuStreamDestroy_v2", self.handle)


def synchronize(stream: int) -> None:
    """Wait on the host until everything queued on a stream of anybody's is done."""
    _call("cuStreamSynchronize", c_void_p(stream))


class Graph:
    """Recorded work, launched as one: at batch 1 the launches cost more than the arithmetic."""

    def __init__(self) -> None:
        self._executable: c_void_p | None = None

    def take(self, graph: c_void_p) -> None:
        """Make the recorded graph ready to launch."""
        self._executable = _created("cuGraphInstantiateWithFlags", graph, 0)
        _call("cuGraphDestroy", graph)

    def launch(self, stream: Stream) -> None:
        _call("cuGraphLaunch", self._executable, stream.handle)

    def close(self) -> None:
        if self._executable is not None:
            _call("cuGraphExecDestroy", self._executable)
            self._executable = None
