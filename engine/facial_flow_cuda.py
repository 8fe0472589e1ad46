"""From two face crops to the model's inputs without leaving the GPU: TV-L1, head motion out, flow image.

    chain = FacialFlowCuda(8, RUNTIME, landmarks=bundle.landmarks)
    chain(onsets, apexes, points)          # host arrays in; up they go, once
    chain.image, chain.landmarks           # the model's inputs, on the device
    chain.moved()                          # movement of the named points, on the host

What `facial_flow`, `flow_image` and `explain` compute on the CPU, within 1e-3 px. All buffers are made
once; between the crops going up and the named points' movement coming down nothing is copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import facial_flow_cuda_kernels as kernels
from .cuda_launch import launch
from .errors import MicroauError
from .explain import NAMED, RADIUS
from .flow_spec import FlowSpec
from .landmarks import N_MESH, N_POINTS, TRIANGLES
from .numba_cuda import cuda
from .rigid import ROUNDS, normalised, outline_depth, stable_prior
from .tvl1 import Tvl1
from .tvl1_cuda import DeviceArray, Tvl1Cuda

Bytes = NDArray[np.uint8]
Array = NDArray[np.float32]


class FacialFlowCuda:
    """The chain for a fixed number of faces, with its buffers, on one stream. For one thread at a time.

    batch      faces
    spec       what the model was trained on; its parameters are TV-L1's
    landmarks  numbers of the points that the model takes
    """

    def __init__(self, batch: int, spec: FlowSpec, landmarks: tuple[int, ...], stream: Any = 0) -> None:
        _check(spec)
        self.batch, self.spec, self._stream = batch, spec, stream
        shape = (batch, spec.crop, spec.crop)
        self._tvl1 = Tvl1Cuda(*shape, Tvl1(**spec.parameters), stream)  # type: ignore[arg-type]
        self._host, self._went_up = _Pinned(batch, spec.crop), cuda.event()
        self._crops = cuda.device_array((2, *shape), np.uint8)
        self._points = cuda.device_array((batch, N_POINTS, 3), np.float32)
        self._facts = cuda.device_array((batch, kernels.FACTS), np.float32)
        self.flow: DeviceArray = cuda.device_array((*shape, 2), np.float32)
        """(B, crop, crop, 2) pixels, without head motion."""
        self._owner = cuda.device_array(shape, np.int32)
        self._motion = cuda.device_array((batch, 6), np.float32)
        self._percent = cuda.device_array((batch, spec.size, spec.size, 2), np.float32)
        self._moved = cuda.device_array((batch, len(NAMED), 2), np.float32)
        self._prior = cuda.to_device(stable_prior(N_POINTS))
        self._triangles = cuda.to_device(TRIANGLES.astype(np.int32))
        self._numbers = cuda.to_device(np.array(landmarks, np.int32))
        self._named = cuda.to_device(np.array(NAMED, np.int32))
        self.image: DeviceArray = cuda.device_array((batch, 3, spec.size, spec.size), np.float32)
        """(B, 3, S, S), written when the stream gets there."""
        self.landmarks: DeviceArray = cuda.device_array((batch, len(landmarks), 2), np.float32)
        """(B, K, 2), likewise."""
        self._go_up()  # so that what is queued before the first pair reads no chance bytes
        cuda.synchronize()  # what went up is there, also for a stream that waits for no other

    def __call__(self, onsets: Bytes, apexes: Bytes, points: Array) -> None:
        """Send up to `batch` pairs up and queue all work on them; `wait` or `moved` wait for it.

        onsets, apexes  (n, crop, crop) uint8, cut with the same matrix
        points          (n, 478, 3) face points at the onset, pixels of the crop
        """
        self.send(onsets, apexes, points)
        self.queue()

    def send(self, onsets: Bytes, apexes: Bytes, points: Array) -> None:
        """Queue the copies alone."""
        self._went_up.synchronize()  # the last call's copies may still read the page-locked arrays
        self._host.fill(onsets, apexes, points)
        self._go_up()
        self._went_up.record(self._stream)

    def _go_up(self) -> None:
        self._crops.copy_to_device(self._host.crops, stream=self._stream)
        self._points.copy_to_device(self._host.points, stream=self._stream)
        self._facts.copy_to_device(self._host.facts, stream=self._stream)

    def queue(self) -> None:
        """All launches on what lies in the buffers."""
        self._tvl1(self._crops[0], self._crops[1], self.flow)
        self._remove_head()
        self._make_inputs()

    def moved(self) -> Array:
        """Movement of `explain.NAMED` (B, P, 2) in percent OED: the one thing that comes down."""
        self._moved.copy_to_host(self._host.moved, stream=self._stream)
        self.wait()
        moved: Array = self._host.moved.copy()
        return moved

    def wait(self) -> None:
        """Until everything queued is done."""
        if self._stream:
            self._stream.synchronize()
        else:
            cuda.synchronize()

    def _remove_head(self) -> None:
        flow, points, facts = self.flow, self._points, self._facts
        line = ((self.batch,), (kernels.THREADS,), self._stream)
        launch(kernels.fit_head, line, flow, points, facts, self._prior, ROUNDS, self._motion)
        whole = self._over(self.spec.crop)
        launch(kernels.clear, whole, self._owner)
        shared = ((kernels.SHARES, self.batch), (kernels.THREADS,), self._stream)
        launch(kernels.cover, shared, points, self._triangles, self._owner)
        launch(kernels.remove_head, whole, flow, points, facts, self._triangles, self._owner, self._motion)

    def _make_inputs(self) -> None:
        spec, small = self.spec, self._over(self.spec.size)
        scale = np.float32(100 / spec.crop_oed)
        launch(kernels.to_percent, small, self.flow, scale, self._percent)
        slope = np.float32(1 / (8 * scale * spec.crop / spec.size))
        units = (np.float32(spec.unit), np.float32(spec.strain_unit))
        launch(kernels.to_image, small, self._percent, *units, slope, self.image)
        blocks = -(-len(self._numbers) // kernels.THREADS)
        line = ((blocks, self.batch), (kernels.THREADS,), self._stream)
        launch(kernels.pick, line, self._points, self._numbers, self.landmarks)
        each = ((len(NAMED), self.batch), (kernels.THREADS,), self._stream)
        launch(kernels.measure, each, self.flow, self._points, self._named, RADIUS, scale, self._moved)

    def _over(self, size: int) -> tuple[Any, ...]:
        """Grid, block and stream for (B, size, size) pixels."""
        blocks = -(-size // kernels.SIDE)
        return (blocks, blocks, self.batch), (kernels.SIDE, kernels.SIDE), self._stream


class _Pinned:
    """Page-locked copies of what goes up and comes down; free again once the stream has been waited for."""

    def __init__(self, batch: int, crop: int) -> None:
        self.crops = cuda.pinned_array((2, batch, crop, crop), np.uint8)
        self.points = cuda.pinned_array((batch, N_POINTS, 3), np.float32)
        self.facts = cuda.pinned_array((batch, kernels.FACTS), np.float32)
        self.moved = cuda.pinned_array((batch, len(NAMED), 2), np.float32)
        for array in (self.crops, self.points, self.facts, self.moved):
            array[:] = 0
        self.facts[:, kernels.OED] = 1  # rows that were never filled are computed too

    def fill(self, onsets: Bytes, apexes: Bytes, points: Array) -> None:
        """The first rows; those behind keep what they had, and nobody reads what comes of it."""
        count = len(onsets)
        self.crops[0, :count], self.crops[1, :count] = onsets, apexes
        self.points[:count] = points
        for row, face in zip(self.facts, points, strict=False):
            places, middle, oed = normalised(face)
            row[:3], row[kernels.OED] = middle, oed
            row[kernels.OUTLINE] = outline_depth(places[:N_MESH])


def _check(spec: FlowSpec) -> None:
    if spec.algorithm != "tvl1" or spec.crop % spec.size:
        raise MicroauError(
            f"flow on CUDA: {spec.algorithm} on crops of {spec.crop} px averaged to {spec.size}: only tvl1"
            " and whole numbers of pixels; use --device cpu"
        )
    if (2 * RADIUS + 1) ** 2 > kernels.PATCH:
        raise ValueError(f"a square of {2 * RADIUS + 1} pixels does not fit into {kernels.PATCH} values")
