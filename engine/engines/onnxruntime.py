"""ONNX Runtime: CPU, CUDA and its TensorRT provider, never one in place of another."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import numpy as np
import onnxruntime as ort

from .. import cuda_driver
from ..errors import MicroauError
from ..resident import Resident, resident
from .base import OUTPUTS, Array, Device, Engine

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
FOR_GPUS = ("fp16", "int8", "fp8")
"""Variants whose products are in half precision; `export/quantise.py` makes them."""


class OnnxRuntimeEngine(Engine):
    """Runs the bundle's own graph; one session, one thread unless told otherwise."""

    def _open(self) -> None:
        provider = PROVIDERS[self.device.kind]
        _require(provider, self.device)
        # From bytes, so that a model cannot name other files of this machine as its weights.
        graph = self.bundle.path.read_bytes()
        options = _options(self.threads)
        if self.device.kind == "cpu" and self.bundle.card.get("precision") in FOR_GPUS:
            # Slow and right: rewriting half and fp8 graphs for the CPU, 1.31 crashes or computes nonsense.
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = ort.InferenceSession(graph, options, providers=_providers(self.device))
        self._session.disable_fallback()
        if self._session.get_providers()[0] != provider:
            raise MicroauError(
                f"device {self.device}: ONNX Runtime could not start {provider}"
                " (no such GPU, or its CUDA, cuDNN or TensorRT libraries are missing)."
            )

    def _run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        there = {name: resident(array) for name, array in inputs.items()}
        if all(there.values()):
            arrays = self._run_there({name: place for name, place in there.items() if place is not None})
        else:
            arrays = self._session.run(list(OUTPUTS), dict(inputs))
        return {name: np.asarray(array) for name, array in zip(OUTPUTS, arrays, strict=True)}

    def _run_there(self, inputs: Mapping[str, Resident]) -> list[Array]:
        """Inputs read where they lie on the GPU; only the outputs come down."""
        binding = self._session.io_binding()
        for name, place in inputs.items():
            self._wait(place)
            memory, index = self._memory()
            binding.bind_input(name, memory, index, np.float32, list(place.shape), place.address)
        for name in OUTPUTS:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        outputs: list[Array] = binding.copy_outputs_to_cpu()
        return outputs

    def _memory(self) -> tuple[str, int]:
        """Where inputs lie that are not on the host, as ONNX Runtime names it."""
        return "cuda", self.device.index

    def _wait(self, place: Resident) -> None:
        """ONNX Runtime has a stream of its own: what makes the input must be done before it is queued."""
        with closing(cuda_driver.Device(self.device.index)) as device, device.current():
            cuda_driver.synchronize(place.stream)

    def _close(self) -> None:
        del self._session


def _require(provider: str, device: Device) -> None:
    if provider not in ort.get_available_providers():
        raise MicroauError(
            f"device {device}: this ONNX Runtime has no {provider}."
            " Install onnxruntime-gpu in place of onnxruntime, or use --device cpu."
        )


def _providers(device: Device) -> list[tuple[str, dict[str, int]]]:
    """The provider that was asked for; a GPU is given the CPU beside it for shape arithmetic."""
    if device.kind == "cpu":
        return [(PROVIDERS["cpu"], {})]
    options = {"device_id": device.index}
    if device.kind == "cuda":
        options["use_tf32"] = 0  # its default rounds the factors of fp32 products to 10 bits
    return [(PROVIDERS[device.kind], options), (PROVIDERS["cpu"], {})]


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; what fails is said once, by us
    # Spinning threads would take the core that decodes the next frame.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
