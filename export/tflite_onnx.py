"""Write a TensorFlow Lite network of convolutions as ONNX, laid out for ONNX Runtime's fast kernels.

Pictures turn from (1, H, W, C) to (1, C, H, W); the answers leave in TensorFlow's order and shape.
Half-precision weights stay half in the file and are widened once, when the session is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ..engine.errors import MicroauError
from .tflite import Network, Operator

OPSET = 17
IR_VERSION = 8  # read by every ONNX Runtime since 1.12


class Writer:
    """Collects nodes and constants; `convert` is the way in."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.weights = {number: array for number, array in network.constants.items()}

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

    # One method per operator. `name(i)` is the tensor's name in ONNX.

    def conv(self, operator: Operator) -> None:
        source, kernel, bias = operator.inputs
        depthwise = operator.kind == "depthwise_conv_2d"
        weights = self.weights[kernel]  # (out, H, W, in), or (1, H, W, out) depthwise
        rows, columns = weights.shape[1:3]
        self.node(
            "Conv",
            [
                name(source),
                self.constant(f"w{kernel}", weights.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))),
                self.constant(f"b{bias}", self.weights[bias]),
            ],
            name(operator.output),
            group=weights.shape[3] if depthwise else 1,
            kernel_shape=[rows, columns],
            strides=_strides(operator),
            pads=_pads(operator, self.network, (rows, columns)),
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
        of its convolutions. Slopes exceed 1, so max(x, a x) would be wrong.
        """
        source, slopes = operator.inputs
        slope = self.weights[slopes].reshape(-1, 1, 1, 1)
        rest = 1 - slope.astype(np.float32)
        out = name(operator.output)
        positive = self.node("Relu", [name(source)], f"{out}_positive")
        ways = [(name(source), slope, "slope"), (positive, rest, "rest")]
        parts = [
            self.node("Conv", [x, self.constant(f"{out}_{label}_w", w)], f"{out}_{label}", group=len(w))
            for x, w, label in ways
        ]
        self.node("Add", parts, out)

    def pad(self, operator: Operator) -> None:
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
        self.node("Add", [name(i) for i in operator.inputs], name(operator.output))

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
    """ONNX model that takes an RGB picture and gives named answers.

    low, high   what black and white become before the first layer
    outputs     name -> shape of each answer, in the network's order
    return      input `image` (1, H, W, 3) uint8; outputs float32
    """
    writer = Writer(network)
    shape = network.shapes[network.inputs[0]]
    _write_input(writer, low, high)
    for operator in network.operators:
        writer.write(operator)
    for tensor, (label, dims) in zip(network.outputs, outputs.items(), strict=True):
        writer.constants[f"{label}_shape"] = np.array(dims, np.int64)
        writer.node("Reshape", [name(tensor), f"{label}_shape"], label)
    graph = helper.make_graph(
        writer.nodes,
        "microau",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info(label, TensorProto.FLOAT, dims) for label, dims in outputs.items()],
        [numpy_helper.from_array(array, label) for label, array in writer.constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def _write_input(writer: Writer, low: float, high: float) -> None:
    """(1, H, W, 3) bytes -> (1, 3, H, W) numbers from low to high."""
    rows = writer.node("Transpose", ["image"], "image_planes", perm=[0, 3, 1, 2])
    wide = writer.node("Cast", [rows], "image_wide", to=TensorProto.FLOAT)
    gain = writer.constant("gain", np.array((high - low) / 255, np.float32))
    last = name(writer.network.inputs[0])
    if not low:
        writer.node("Mul", [wide, gain], last)
        return
    scaled = writer.node("Mul", [wide, gain], "image_scaled")
    writer.node("Add", [scaled, writer.constant("low", np.array(low, np.float32))], last)


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
