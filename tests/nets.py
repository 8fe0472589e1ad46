"""A small network with everything that number formats must get right, put together node by node."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
GRID, WIDTH, POINTS = 7, 128, 5


def token_net(seed: int = 0) -> onnx.ModelProto:
    """Flow image (B, 3, 28, 28) and landmarks (B, 5, 2) in 0..224 -> token numbers and probabilities.

    Stem, depthwise and pointwise convolutions with a sum, LayerNorm, two large matrices with GELU,
    the tokens under the landmarks, a masked softmax over them, and a guarded normalisation.
    """
    rng = np.random.default_rng(seed)
    constants: list[onnx.TensorProto] = []

    def weight(name: str, *shape: int, scale: float = 0.2) -> str:
        constants.append(numpy_helper.from_array(rng.normal(0, scale, shape).astype(np.float32), name))
        return name

    def value(name: str, number: object, kind: type = np.float32) -> str:
        constants.append(numpy_helper.from_array(np.array(number, kind), name))
        return name

    node = helper.make_node
    nodes = [
        node("Conv", ["flow", weight("w0", 16, 3, 4, 4), weight("b0", 16)], ["s"], "/stem", strides=[4, 4]),
        node("Relu", ["s"], ["sr"], "/stem/relu"),
        node("Conv", ["sr", weight("w1", 16, 1, 3, 3), weight("b1", 16)], ["d"], "/depthwise",
             group=16, pads=[1, 1, 1, 1]),
        node("Conv", ["d", weight("w2", 128, 16, 1, 1), weight("b2", 128)], ["p"], "/pointwise"),
        node("Relu", ["p"], ["pr"], "/pointwise/relu"),
        node("Conv", ["pr", weight("w3", 16, 128, 1, 1, scale=0.05), weight("b3", 16)], ["q"], "/back"),
        node("Add", ["sr", "q"], ["sum"], "/residual"),
        node("Conv", ["sum", weight("w4", WIDTH, 16, 1, 1), weight("b4", WIDTH)], ["c"], "/widen"),
        node("Reshape", ["c", value("flat", [0, WIDTH, GRID * GRID], np.int64)], ["f"], "/flat"),
        node("Transpose", ["f"], ["t"], "/tokens", perm=[0, 2, 1]),
        node("LayerNormalization", ["t", weight("g", WIDTH), weight("h", WIDTH)], ["n"], "/norm", axis=-1),
        node("MatMul", ["n", weight("m1", WIDTH, 256, scale=0.08)], ["u"], "/mlp/up"),
        node("Gelu", ["u"], ["v"], "/mlp/gelu"),
        node("MatMul", ["v", weight("m2", 256, WIDTH, scale=0.08)], ["w"], "/mlp/down"),
        node("Add", ["t", "w"], ["x"], "/mlp/residual"),
        # landmarks in 0..224 -> token of the grid
        node("Mul", ["landmarks", value("cell", GRID / 224)], ["lm"], "/scale"),
        node("Floor", ["lm"], ["lf"], "/floor"),
        node("Cast", ["lf"], ["li"], "/integer", to=INT64),
        node("Mul", ["li", value("pitch", [1, GRID], np.int64)], ["lp"], "/pitch"),
        node("ReduceSum", ["lp", value("last", [-1], np.int64)], ["token"], "/token", keepdims=0),
        node("Unsqueeze", ["token", "last"], ["ti"], "/index"),
        node("Expand", ["ti", value("wide", [1, 1, WIDTH], np.int64)], ["te"], "/wide"),
        node("GatherElements", ["x", "te"], ["own"], "/gather", axis=1),
        node("MatMul", ["own", weight("a", WIDTH, 1)], ["score"], "/score"),
        node("Squeeze", ["score", "last"], ["sc"], "/squeeze"),
        node("Where", [value("mask", [[True, True, True, False, True]], np.bool_), "sc",
                       value("never", -1e9)], ["masked"], "/mask"),
        node("Softmax", ["masked"], ["probability"], "/softmax", axis=-1),
        node("ReduceL2", ["own", "last"], ["norm"], "/norm2"),
        node("Max", ["norm", value("guard", 1e-12)], ["guarded"], "/guard"),
        node("Div", ["own", "guarded"], ["features"], "/unit"),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "token_net",
        [_info("flow", FLOAT, ["batch", 3, 28, 28]), _info("landmarks", FLOAT, ["batch", POINTS, 2])],
        [
            _info("token", INT64, ["batch", POINTS]),
            _info("probability", FLOAT, ["batch", POINTS]),
            _info("features", FLOAT, ["batch", POINTS, WIDTH]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def token_inputs(count: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Inputs as the network expects them; some landmarks lie just beside a cell's border."""
    rng = np.random.default_rng(seed)
    landmarks = rng.uniform(0, 224, (count, POINTS, 2)).astype(np.float32)
    borders = 32.0 * rng.integers(1, GRID, (count, 2, 2)) + rng.choice([-0.01, 0.01], (count, 2, 2))
    landmarks[:, :2] = borders
    return {"flow": rng.normal(0, 1, (count, 3, 28, 28)).astype(np.float32), "landmarks": landmarks}


def _info(name: str, kind: int, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
