"""Static eight-bit quantisation in the graph: pairs of Quantize and Dequantize around the products.

A back end that knows the pattern replaces pair, product, pair by an eight-bit product; one that does
not computes the same rounded numbers slowly. So the file says exactly what is rounded, and all
back ends agree. Weights are stored in eight bits, one scale per output channel.

Left in full precision: the first convolution, whose input is the measured motion itself, products of
two activations (attention), and small matrices, where quantising costs as much as it saves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray

from .calibration import Range, Samples, ranges
from .onnx_graph import array, constants, copy_of, finish, tensor, users

SMALLEST_MATRIX = 1 << 14
"""Elements of a weight matrix from which a quantised product pays."""
SMALLEST_SCALE = 2.0**-14
"""The smallest normal fp16 number: below it a scale would itself be coarse."""
BIAS_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a back end wants to see."""

    activation: DTypeLike
    weight: DTypeLike
    largest: float
    """Of the weight type."""
    levels: int | None
    """Equal steps of the activation type; None: a floating type."""
    outputs: bool
    """Pairs behind convolutions and sums too, and their bias in 32 bits: ONNX Runtime's CPU kernels
    want a whole chain in integers; TensorRT wants pairs before products only."""
    opset: int
    """The oldest in which the pair takes these types, with scales in half precision for TensorRT."""

    @property
    def symmetric(self) -> bool:
        return np.dtype(self.activation) != np.uint8


CPU = Scheme(np.uint8, np.int8, 127, 256, outputs=True, opset=18)
INT8 = Scheme(np.int8, np.int8, 127, 255, outputs=False, opset=19)
FP8 = Scheme(ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e4m3fn, 448, None, outputs=False, opset=19)


def quantise(model: Any, samples: Samples, scheme: Scheme) -> Any:
    """The model with quantised products, ranges measured on the samples.

    model  ModelProto in single precision
    """
    editor = _Editor(copy_of(model), scheme)
    wanted = sorted(editor.wanted)
    return editor.run(ranges(model, samples, wanted, scheme.levels, scheme.symmetric))


class _Editor:
    """Puts the pairs in; each tensor has at most one."""

    def __init__(self, model: Any, scheme: Scheme):
        self.model, self.scheme = model, scheme
        self.constants = constants(model)
        self.measured = {info.name for info in model.graph.input}
        self.products = [node for node in model.graph.node if self._is_product(node)]
        self.wanted = {node.input[0] for node in self.products}
        """Tensors that get a pair."""
        if scheme.outputs:
            self.wanted |= self._chain()
        self.added: list[Any] = []

    def run(self, found: Mapping[str, Range]) -> Any:
        scales = {name: self._pair(name, found[name]) for name in sorted(self.wanted)}
        for node in self.products:
            weight = self._weight(node)
            if self.scheme.outputs and node.op_type == "Conv" and len(node.input) > 2:
                self._bias(node, np.float32(scales[node.input[0]]) * weight)
        self._redirect()
        self.model.graph.node.extend(self.added)
        self._raise_opset()
        return finish(self.model)

    def _is_product(self, node: Any) -> bool:
        if node.op_type not in ("Conv", "MatMul", "Gemm") or node.input[1] not in self.constants:
            return False
        weight = self.constants[node.input[1]]
        if node.op_type == "Conv":
            return node.input[0] not in self.measured
        return len(weight.dims) == 2 and int(np.prod(weight.dims)) >= SMALLEST_MATRIX

    def _chain(self) -> set[str]:
        """What quantised convolutions give, and sums of such: with pairs the integers never leave."""
        convolved = {node.output[0] for node in self.products if node.op_type == "Conv"}
        read, chain = users(self.model), set(convolved)
        for node in self.model.graph.node:
            if node.op_type == "Relu" and node.input[0] in convolved and read[node.input[0]] == 1:
                chain.remove(node.input[0])  # folded into the convolution
                chain.add(node.output[0])
            if node.op_type == "Add" and set(node.input) <= chain | self.wanted | set(self.constants):
                chain.add(node.output[0])
        return chain

    def _pair(self, name: str, found: Range) -> float:
        """Quantise and dequantise behind a tensor; the scale."""
        scale, zero = self._step(found)
        self._constant(f"{name}_scale", np.float32(scale))
        self._constant(f"{name}_zero", np.asarray(zero, self.scheme.activation))
        parameters = [f"{name}_scale", f"{name}_zero"]
        self._node("QuantizeLinear", [name, *parameters], f"{name}_q")
        self._node("DequantizeLinear", [f"{name}_q", *parameters], f"{name}_dq")
        return scale

    def _step(self, found: Range) -> tuple[float, int]:
        """Scale and zero point of an activation."""
        if self.scheme.symmetric:
            return float(_scale(np.float32(found.bound / self.scheme.largest))), 0
        scale = float(_scale(np.float32((found.high - found.low) / 255)))
        return scale, int(np.clip(round(-found.low / scale), 0, 255))

    def _weight(self, node: Any) -> NDArray[np.float32]:
        """Stored in eight bits, brought back by a Dequantize before the product; scale per channel."""
        name, axis = node.input[1], channel_axis(node)
        stored, scale = stored_weight(array(self.constants[name]), axis, self.scheme)
        self._constant(f"{name}_q", stored)
        self._constant(f"{name}_scale", scale)
        self._constant(f"{name}_zero", np.zeros(len(scale), self.scheme.weight))
        parameters = [f"{name}_q", f"{name}_scale", f"{name}_zero"]
        node.input[1] = self._node("DequantizeLinear", parameters, f"{name}_dq", axis=axis)
        return scale

    def _bias(self, node: Any, scale: NDArray[np.float32]) -> None:
        name = node.input[2]
        steps = np.round(array(self.constants[name]) / scale).clip(-BIAS_LIMIT, BIAS_LIMIT)
        self._constant(f"{name}_q", steps.astype(np.int32))
        self._constant(f"{name}_scale", scale)
        node.input[2] = self._node("DequantizeLinear", [f"{name}_q", f"{name}_scale"], f"{name}_dq", axis=0)

    def _redirect(self) -> None:
        """Readers take what stands behind the pair: the products, or in a chain everybody."""
        for node in self.model.graph.node if self.scheme.outputs else self.products:
            for place, name in enumerate(node.input):
                if name in self.wanted:
                    node.input[place] = f"{name}_dq"

    def _constant(self, name: str, values: NDArray[Any] | np.generic) -> None:
        if name not in self.constants:
            self.constants[name] = tensor(name, np.asarray(values))
            self.model.graph.initializer.append(self.constants[name])

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: int) -> str:
        if not any(node.output[0] == output for node in self.added):
            self.added.append(onnx.helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def _raise_opset(self) -> None:
        """Opsets 19 to 21 only let the same operators take more types."""
        for entry in self.model.opset_import:
            if entry.domain in ("", "ai.onnx"):
                entry.version = max(entry.version, self.scheme.opset)


def channel_axis(node: Any) -> int:
    """Of the output channels in the weight."""
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if node.op_type == "Conv" or transposed else 1


def stored_weight(
    weight: NDArray[np.float32], axis: int, scheme: Scheme
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """A weight in the scheme's type and its scale per output channel: stored * scale = weight, rounded."""
    others = tuple(a for a in range(weight.ndim) if a != axis)
    scale = _scale(np.abs(weight).max(axis=others).astype(np.float32) / np.float32(scheme.largest))
    steps = np.asarray(weight / np.expand_dims(scale, others), np.float32)
    return _cast(steps, scheme.weight, scheme.largest), scale


def _scale(scale: NDArray[np.float32] | np.float32) -> NDArray[np.float32]:
    """A scale that half precision holds exactly, so that it may be stored in it later."""
    return np.maximum(scale, SMALLEST_SCALE).astype(np.float16).astype(np.float32)


def _cast(steps: NDArray[np.float32], kind: DTypeLike, largest: float) -> NDArray[Any]:
    clipped = steps.clip(-largest, largest)
    return (np.round(clipped) if np.dtype(kind).kind == "i" else clipped).astype(kind)
