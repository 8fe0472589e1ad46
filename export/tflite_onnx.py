"""Write a TensorFlow Lite network of convolutions as ONNX, laid out for ONNX Runtime's fast kernels.

Pictures turn from (1, H, W, C) to (1, C, H, W); the answers leave in TensorFlow's order and shape.
Half-precision weights stay half in the file and are widened once, when the session is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ..engine.errors import MicroauError
from .tflite import Network, Operator

OPSET = 17
IR_VERSION = 8  # read by every ONNX Runtime since 1.12
BLOCK = 16
"""Channels that ONNX Runtime's convolutions keep together on AVX-512; 8 on AVX2."""


class Writer:
    """Collects nodes and constants; `convert` is the way in."""

    def __init__(self, network: Network, low: float, high: float) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.weights = dict(network.constants)
        self.widenings = _widenings(network)
        self.cuts = {sum_.conv: sum_.channels for sum_ in self.widenings.values()}
        self.unpadded = {sum_.padded for sum_ in self.widenings.values()}
        self.input(low, high)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Name of a float32 tensor with these values; half precision is kept in the file."""
        self.constants[name] = np.ascontiguousarray(array)
        if array.dtype != np.float16:
            return name
        return self.node("Cast", [name], f"{name}_wide", to=TensorProto.FLOAT)

    def write(self, operator: Operator) -> None:
        if operator.options.get("activation", 0):
            raise MicroauError(f"a {operator.kind} with an activation inside cannot be converted")
        HANDLERS[operator.kind](self, operator)

    def input(self, low: float, high: float) -> None:
        """Bytes -> numbers from low to high."""
        out = name(self.network.inputs[0])
        wide = self.node("Cast", ["image"], f"{out}_wide", to=TensorProto.FLOAT)
        gain = self.constant("gain", np.array((high - low) / 255, np.float32))
        scaled = self.node("Mul", [wide, gain], f"{out}_scaled")
        self.node("Add", [scaled, self.constant("low", np.array(low, np.float32))], out)

    # One method per operator. `name(i)` is the tensor's name in ONNX.

    def conv(self, operator: Operator) -> None:
        depthwise = operator.kind == "depthwise_conv_2d"
        weights = self.weights[operator.inputs[1]]  # (out, H, W, in), or (1, H, W, out) depthwise
        weights = weights.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        bias, out = self.weights[operator.inputs[2]], name(operator.output)
        cut = self.cuts.get(operator.output)
        if cut is None:
            self.filters(operator, weights, bias, out, len(weights) if depthwise else 1)
        else:
            self.filters(operator, weights[:cut], bias[:cut], f"{out}_first", 1)
            self.filters(operator, weights[cut:], bias[cut:], f"{out}_last", 1)

    def filters(
        self, operator: Operator, weights: NDArray[Any], bias: NDArray[Any], out: str, group: int
    ) -> None:
        """One convolution, or the part of it that makes some of its channels."""
        window = weights.shape[2], weights.shape[3]
        self.node(
            "Conv",
            [name(operator.inputs[0]), self.constant(f"{out}_w", weights), self.constant(f"{out}_b", bias)],
            out,
            group=group,
            kernel_shape=window,
            strides=_strides(operator),
            pads=_pads(operator, self.network, window),
        )

    def max_pool(self, operator: Operator) -> None:
        window = (operator.options["height"], operator.options["width"])
        self.node(
            "MaxPool",
            [name(operator.inputs[0])],
            name(operator.output),
            kernel_shape=list(window),
            strides=_strides(operator),
            pads=_pads(operator, self.network, window),
        )

    def prelu(self, operator: Operator) -> None:
        """PReLU as a x + (1 - a) max(x, 0), two depthwise 1 x 1 convolutions.

        ONNX Runtime's own PRelu takes most of the model's time, because it leaves the blocked layout
        of its convolutions. A few slopes exceed 1, so max(x, a x) would be wrong. Where none does, the
        second term is max((1 - a) x, 0), a convolution and its activation, which run as one step.
        """
        out, source = name(operator.output), name(operator.inputs[0])
        slope = self.weights[operator.inputs[1]].reshape(-1, 1, 1, 1)
        rest = 1 - slope.astype(np.float32)
        line = self.scaled(source, slope, f"{out}_line")
        if rest.min() >= 0:
            bend = self.node("Relu", [self.scaled(source, rest, f"{out}_rest")], f"{out}_bend")
        else:
            bend = self.scaled(self.node("Relu", [source], f"{out}_positive"), rest, f"{out}_bend")
        self.node("Add", [line, bend], out)

    def scaled(self, source: str, factors: NDArray[Any], out: str) -> str:
        """Each channel times its factor (C, 1, 1, 1)."""
        return self.node("Conv", [source, self.constant(f"{out}_w", factors)], out, group=len(factors))

    def pad(self, operator: Operator) -> None:
        """Empty channels behind the others; nothing where `add` does without them."""
        if operator.output in self.unpadded:
            return
        source, amounts = operator.inputs
        before, after = self.weights[amounts].T
        order = [0, 3, 1, 2]
        pads = np.concatenate([before[order], after[order]]).astype(np.int64)
        out = name(operator.output)
        self.constants[f"{out}_pads"] = pads
        self.node("Pad", [name(source), f"{out}_pads"], out)

    def reshape(self, operator: Operator) -> None:
        source, shape = operator.inputs[0], self.network.shapes[operator.output]
        out = name(operator.output)
        rows = self.node("Transpose", [name(source)], f"{out}_rows", perm=[0, 2, 3, 1])
        self.constants[f"{out}_shape"] = np.array(shape, np.int64)
        self.node("Reshape", [rows, f"{out}_shape"], out)

    def concatenation(self, operator: Operator) -> None:
        self.node(
            "Concat",
            [name(i) for i in operator.inputs],
            name(operator.output),
            axis=operator.options["axis"],
        )

    def add(self, operator: Operator) -> None:
        """A sum; pad(x) + conv(y) as [x + first channels of conv(y), last channels of conv(y)].

        ONNX Runtime cannot pad in the blocked layout of its convolutions and would leave it.
        """
        out, widening = name(operator.output), self.widenings.get(operator.output)
        if widening is None:
            self.node("Add", [name(i) for i in operator.inputs], out)
            return
        conv = name(widening.conv)
        first = self.node("Add", [name(widening.x), f"{conv}_first"], f"{out}_first")
        self.node("Concat", [first, f"{conv}_last"], out, axis=1)

    def relu(self, operator: Operator) -> None:
        self.node("Relu", [name(operator.inputs[0])], name(operator.output))

    def dequantize(self, operator: Operator) -> None:
        """Widens a constant from half precision: `constant` does it where the constant is used."""
        self.weights[operator.output] = self.weights[operator.inputs[0]]


HANDLERS: dict[str, Callable[[Writer, Operator], None]] = {
    "add": Writer.add,
    "concatenation": Writer.concatenation,
    "conv_2d": Writer.conv,
    "depthwise_conv_2d": Writer.conv,
    "dequantize": Writer.dequantize,
    "max_pool_2d": Writer.max_pool,
    "pad": Writer.pad,
    "prelu": Writer.prelu,
    "relu": Writer.relu,
    "reshape": Writer.reshape,
}


def name(tensor: int) -> str:
    """Name of a tensor of the network in the ONNX graph."""
    return f"t{tensor}"


def convert(
    network: Network, *, low: float, high: float, outputs: dict[str, tuple[int, ...]]
) -> onnx.ModelProto:
    """ONNX model that takes a picture and gives named answers.

    low, high   what black and white become before the first layer
    outputs     name -> shape of each answer, in the network's order
    return      input `image` (1, 3, H, W) uint8, the planes R, G, B; outputs float32
    """
    writer = Writer(network, low, high)
    _, height, width, channels = network.shapes[network.inputs[0]]
    for operator in network.operators:
        writer.write(operator)
    for tensor, (label, dims) in zip(network.outputs, outputs.items(), strict=True):
        writer.constants[f"{label}_shape"] = np.array(dims, np.int64)
        writer.node("Reshape", [name(tensor), f"{label}_shape"], label)
    graph = helper.make_graph(
        writer.nodes,
        "microau",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, (1, channels, height, width))],
        [helper.make_tensor_value_info(label, TensorProto.FLOAT, dims) for label, dims in outputs.items()],
        [numpy_helper.from_array(array, label) for label, array in writer.constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


@dataclass(frozen=True, slots=True)
class Widening:
    """A sum pad(x) + conv(y), where pad adds empty channels behind those of x."""

    x: int
    padded: int
    conv: int
    """Numbers of the three tensors."""
    channels: int
    """Of x."""


def _widenings(network: Network) -> dict[int, Widening]:
    """Every such sum, by the number of its output, where x has whole blocks of channels."""
    makers = {operator.output: operator for operator in network.operators}
    found = {}
    for operator in network.operators:
        terms = {makers[i].kind: makers[i] for i in operator.inputs if i in makers}
        if operator.kind == "add" and set(terms) == {"pad", "conv_2d"}:
            pad, conv = terms["pad"], terms["conv_2d"]
            channels = network.shapes[pad.inputs[0]][3]
            if channels % BLOCK == 0:
                found[operator.output] = Widening(pad.inputs[0], pad.output, conv.output, channels)
    return found


def _strides(operator: Operator) -> list[int]:
    return [operator.options["stride_h"], operator.options["stride_w"]]


def _pads(operator: Operator, network: Network, window: tuple[int, int]) -> list[int]:
    """Top, left, bottom, right of TensorFlow's SAME (0) or VALID (1) padding; an odd one goes last."""
    if operator.options["padding"] == 1:
        return [0, 0, 0, 0]
    source, out = (network.shapes[i][1:3] for i in (operator.inputs[0], operator.output))
    totals = [
        max((out[i] - 1) * stride + window[i] - source[i], 0) for i, stride in enumerate(_strides(operator))
    ]
    before = [total // 2 for total in totals]
    return before + [total - half for total, half in zip(totals, before, strict=True)]
