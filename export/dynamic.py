"""Dynamic eight-bit quantisation: weights stored in eight bits, activations rounded as they come.

For matrices on a CPU, without calibration: the range of each activation is measured in the run. The
pattern below is the one that ONNX Runtime fuses into one kernel (DynamicQuantizeMatMul).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from .onnx_graph import FLOAT, array, constants, copy_of, finish, tensor
from .qdq import CPU, SMALLEST_MATRIX, channel_axis, stored_weight


def quantise_dynamic(model: Any) -> Any:
    """The model with its large matrix products in eight bits."""
    fresh = copy_of(model)
    weights = constants(fresh)
    for node in list(fresh.graph.node):
        if _is_large_product(node, weights):
            _replace(fresh.graph, node, array(weights[node.input[1]]))
    return finish(fresh)


def _is_large_product(node: Any, weights: dict[str, Any]) -> bool:
    if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in weights or _scaled(node):
        return False
    dims = weights[node.input[1]].dims
    return len(dims) == 2 and int(np.prod(dims)) >= SMALLEST_MATRIX


def _scaled(node: Any) -> bool:
    """A Gemm that does more than x W + b."""
    return any(
        (a.name in ("alpha", "beta") and a.f != 1) or (a.name == "transA" and a.i) for a in node.attribute
    )


def _replace(graph: Any, node: Any, weight: Any) -> None:
    """X W + b as integer product, back to float by both scales."""
    x, out, own = node.input[0], node.output[0], node.output[0]
    stored, scale = stored_weight(weight, axis := channel_axis(node), CPU)
    matrix = stored.T if axis == 0 else stored
    graph.initializer.append(tensor(f"{own}_w", matrix))
    graph.initializer.append(tensor(f"{own}_w_scale", scale))
    graph.initializer.append(tensor(f"{own}_w_zero", np.zeros(len(scale), np.int8)))
    bias = node.input[2] if len(node.input) > 2 else ""
    product = f"{own}_product" if bias else out
    graph.node.remove(node)
    graph.node.extend(_nodes(x, own, product))
    if bias:
        graph.node.append(onnx.helper.make_node("Add", [product, bias], [out], f"{own}_bias"))


def _nodes(x: str, own: str, product: str) -> list[Any]:
    make = onnx.helper.make_node
    quantised = [f"{own}_x", f"{own}_x_scale", f"{own}_x_zero"]
    integers = [quantised[0], f"{own}_w", quantised[2], f"{own}_w_zero"]
    return [
        make("DynamicQuantizeLinear", [x], quantised, f"{own}_quantise"),
        make("MatMulInteger", integers, [f"{own}_sum"], f"{own}_matmul"),
        make("Cast", [f"{own}_sum"], [f"{own}_float"], f"{own}_cast", to=FLOAT),
        make("Mul", [quantised[1], f"{own}_w_scale"], [f"{own}_scale"], f"{own}_scales"),
        make("Mul", [f"{own}_float", f"{own}_scale"], [product], f"{own}_rescale"),
    ]
