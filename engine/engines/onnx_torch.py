"""An ONNX graph as a torch module: the operators that the bundles use, and no others.

For torch pipelines, and as a second opinion on the numbers: nothing is shared with ONNX Runtime but
the file. Sizes stay on the host as plain integers, everything else lives on the module's device, so
that a run can be recorded as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from ..errors import MicroauError

LARGE_PATCH = 8
"""Pixels along the side of a square from which on a product is worth it."""
Attributes = dict[str, Any]
Operator = Callable[[Attributes, Sequence[Tensor]], Any]
TYPES = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.FLOAT16: torch.float16,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.BOOL: torch.bool,
}


class OnnxModule(nn.Module):
    """Takes the graph's inputs in order, gives its outputs in order."""

    def __init__(self, data: bytes):
        super().__init__()
        graph = onnx.load_model_from_string(data).graph
        self.inputs = [info.name for info in graph.input]
        self.outputs = [info.name for info in graph.output]
        self.steps = [_Step(node) for node in graph.node]
        self._host: dict[str, Tensor] = {}
        """Small integer constants: sizes, axes, starts and ends."""
        for number, constant in enumerate(graph.initializer):
            values = _values(constant)
            if values.dtype == torch.int64:
                self._host[constant.name] = values
            self.register_buffer(f"constant_{number}", values)
        self._names = {constant.name: f"constant_{n}" for n, constant in enumerate(graph.initializer)}

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        known = {name: getattr(self, buffer) for name, buffer in self._names.items()}
        known |= dict(zip(self.inputs, arrays, strict=True))
        sizes = dict(self._host)
        for step in self.steps:
            step.run(known, sizes)
        return tuple(known[name] for name in self.outputs)


class _Step:
    """One node."""

    def __init__(self, node: Any):
        if node.op_type not in {"Shape", *OPERATORS, *SIZED}:
            raise MicroauError(f"the torch back end has no operator {node.op_type} ({node.name})")
        self.kind, self.given, self.gives = node.op_type, list(node.input), list(node.output)
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    def run(self, known: dict[str, Tensor], sizes: dict[str, Tensor]) -> None:
        """Compute the outputs; sizes are computed on the host alone."""
        if self.kind == "Shape":
            wanted = slice(self.attributes.get("start"), self.attributes.get("end"))
            sizes[self.gives[0]] = torch.tensor(known[self.given[0]].shape[wanted])
            return
        on_host = all(name in sizes for name in self.given if name)
        home = sizes if on_host else known
        if self.kind in SIZED:
            lists = [sizes[name].tolist() if name else None for name in self.given[1:]]
            result = SIZED[self.kind](self.attributes, home[self.given[0]], lists)
        else:
            result = OPERATORS[self.kind](self.attributes, [home[n] for n in self.given if n])
        results = result if isinstance(result, (tuple, list)) else (result,)
        home.update(zip(self.gives, results, strict=False))


def _values(constant: Any) -> Tensor:
    numbers = np.array(numpy_helper.to_array(constant))
    if constant.data_type == onnx.TensorProto.FLOAT8E4M3FN:  # NumPy and torch know it, but not each other
        return torch.from_numpy(numbers.view(np.uint8)).view(torch.float8_e4m3fn)
    return torch.from_numpy(numbers)


def _wide(compute: Operator) -> Operator:
    """Products of half numbers are summed in single precision and rounded once, as a GPU does; torch's
    own kernels for half numbers on a CPU are slow and round on the way.
    """

    def product(attributes: Attributes, given: Sequence[Tensor]) -> Any:
        if given[0].dtype != torch.float16 or given[0].device.type != "cpu":
            return compute(attributes, given)
        return compute(attributes, [tensor.float() for tensor in given]).half()

    return product


def _axis(attributes: Attributes, default: int = -1) -> int:
    return int(attributes.get("axis", default))


def _conv(attributes: Attributes, given: Sequence[Tensor]) -> Any:
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    x = given[0]
    if any(pads):  # rows, columns before; rows, columns after
        x = functional.pad(x, (pads[1], pads[3], pads[0], pads[2]))
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    bias = given[2] if len(given) > 2 else None
    if list(dilations) == [1, 1] and _is_patches(x, given[1], strides):
        return _patches(x, given[1], bias)
    return functional.conv2d(x, given[1], bias, strides, 0, dilations, attributes.get("group", 1))


def _is_patches(x: Tensor, weight: Tensor, strides: Sequence[int]) -> bool:
    """Is it a division into large squares, side by side, each mapped as a whole, as in CLIP's towers?"""
    size = tuple(weight.shape[2:])
    even = x.shape[2] % size[0] == 0 and x.shape[3] % size[1] == 0
    return min(size) >= LARGE_PATCH and size == tuple(strides) and weight.shape[1] == x.shape[1] and even


def _patches(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same convolution as one product: cuDNN takes more than a quarter of the whole tower for it
    (docs/performance.md).
    """
    _, channels, rows, columns = weight.shape
    squares = x.reshape(len(x), channels, x.shape[2] // rows, rows, x.shape[3] // columns, columns)
    flat = squares.permute(0, 2, 4, 1, 3, 5).flatten(3)  # (B, h, w, C * rows * columns)
    return functional.linear(flat, weight.flatten(1), bias).permute(0, 3, 1, 2)


def _gemm(attributes: Attributes, given: Sequence[Tensor]) -> Any:
    a = given[0].T if attributes.get("transA") else given[0]
    b = given[1].T if attributes.get("transB") else given[1]
    product = attributes.get("alpha", 1.0) * (a @ b)
    return product + attributes.get("beta", 1.0) * given[2] if len(given) > 2 else product


def _layer_norm(attributes: Attributes, given: Sequence[Tensor]) -> Tensor:
    shape = given[0].shape[_axis(attributes) :]
    bias = given[2] if len(given) > 2 else None
    return functional.layer_norm(given[0], shape, given[1], bias, attributes.get("epsilon", 1e-5))


def _batch_norm(attributes: Attributes, given: Sequence[Tensor]) -> Tensor:
    x, scale, bias, mean, variance = given
    return functional.batch_norm(x, mean, variance, scale, bias, eps=attributes.get("epsilon", 1e-5))


def _gather(attributes: Attributes, given: Sequence[Tensor]) -> Tensor:
    x, index = given
    axis = _axis(attributes, 0) % x.dim()
    index = torch.where(index < 0, index + x.shape[axis], index)
    shape = (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
    return x.index_select(axis, index.reshape(-1)).reshape(shape)


def _gather_nd(attributes: Attributes, given: Sequence[Tensor]) -> Tensor:
    x, index = given
    if attributes.get("batch_dims", 0):
        raise MicroauError("the torch back end has no GatherND with batch_dims")
    return x[tuple(index.unbind(-1))]


def _quantise(attributes: Attributes, given: Sequence[Tensor]) -> Tensor:
    x, scale, zero = given
    scale = _along(scale, attributes, x)
    if zero.dtype == torch.float8_e4m3fn:
        largest = torch.finfo(zero.dtype).max
        return (x / scale).clamp(-largest, largest).to(zero.dtype)
    bounds = torch.iinfo(zero.dtype)
    steps = (x / scale).round() + _along(zero, attributes, x)
    return steps.clamp(bounds.min, bounds.max).to(zero.dtype)


def _dequantise(attributes: Attributes, given: Sequence[Tensor]) -> Tensor:
    steps, scale = given[0].to(given[1].dtype), _along(given[1], attributes, given[0])
    zero = _along(given[2], attributes, given[0]).to(scale.dtype) if len(given) > 2 else 0
    return (steps - zero) * scale


def _along(values: Tensor, attributes: Attributes, x: Tensor) -> Tensor:
    """One value for all, or one for each place of an axis."""
    if values.dim() == 0:
        return values
    shape = [1] * x.dim()
    shape[_axis(attributes, 1)] = -1
    return values.reshape(shape)


def _reduce(how: Callable[..., Any]) -> Any:
    def reduce(attributes: Attributes, x: Tensor, lists: list[Any]) -> Tensor:
        axes = lists[0] if lists else list(range(x.dim()))
        reduced: Tensor = how(x, dim=axes, keepdim=bool(attributes.get("keepdims", 1)))
        return reduced

    return reduce


def _reshape(_: Attributes, x: Tensor, lists: list[Any]) -> Tensor:
    return x.reshape([x.shape[n] if size == 0 else size for n, size in enumerate(lists[0])])


def _expand(_: Attributes, x: Tensor, lists: list[Any]) -> Tensor:
    """Both ways: a size of 1 in the list keeps the tensor's own."""
    given = [1] * (len(lists[0]) - x.dim()) + list(x.shape)
    return x.expand([own if size == 1 else size for size, own in zip(lists[0], given, strict=True)])


def _unsqueeze(_: Attributes, x: Tensor, lists: list[Any]) -> Tensor:
    rank = x.dim() + len(lists[0])
    for axis in sorted(axis % rank for axis in lists[0]):
        x = x.unsqueeze(axis)
    return x


def _slice(_: Attributes, x: Tensor, lists: list[Any]) -> Tensor:
    starts, ends = lists[0], lists[1]
    axes = lists[2] if len(lists) > 2 and lists[2] is not None else list(range(len(starts)))
    steps = lists[3] if len(lists) > 3 else [1] * len(starts)
    where = [slice(None)] * x.dim()
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = x.shape[axis]  # 'from the beginning' and 'to the end' may be the extremes of int64
        where[axis] = slice(max(start, -size), max(-size, min(end, size)), step)
    return x[tuple(where)]


def _split(attributes: Attributes, x: Tensor, lists: list[Any]) -> Any:
    axis = _axis(attributes, 0)
    if lists:
        return torch.split(x, lists[0], dim=axis)
    return torch.chunk(x, attributes["num_outputs"], dim=axis)


def _clip(_: Attributes, given: Sequence[Tensor]) -> Tensor:
    low, high = (*given[1:], None, None)[:2]
    return torch.clamp(given[0], low, high)


OPERATORS: dict[str, Operator] = {
    "Add": lambda _, given: given[0] + given[1],
    "And": lambda _, given: given[0] & given[1],
    "BatchNormalization": _batch_norm,
    "Cast": lambda attributes, given: given[0].to(TYPES[attributes["to"]]),
    "Clip": _clip,
    "Concat": lambda attributes, given: torch.cat(list(given), dim=_axis(attributes, 0)),
    "Conv": _wide(_conv),
    "DequantizeLinear": _dequantise,
    "Div": lambda _, given: given[0] / given[1] if given[0].is_floating_point() else given[0] // given[1],
    "Einsum": _wide(lambda attributes, given: torch.einsum(attributes["equation"].decode(), *given)),
    "Equal": lambda _, given: given[0] == given[1],
    "Erf": lambda _, given: torch.erf(given[0]),
    "Exp": lambda _, given: torch.exp(given[0]),
    "Floor": lambda _, given: torch.floor(given[0]),
    "Gather": _gather,
    "GatherElements": lambda attributes, given: given[0].gather(_axis(attributes, 0), given[1]),
    "GatherND": _gather_nd,
    "Gelu": lambda attributes, given: functional.gelu(
        given[0], approximate=attributes.get("approximate", b"none").decode()
    ),
    "Gemm": _wide(_gemm),
    "Identity": lambda _, given: given[0],
    "LayerNormalization": _layer_norm,
    "MatMul": _wide(lambda _, given: given[0] @ given[1]),
    "Max": lambda _, given: torch.maximum(given[0], given[1]),
    "Mul": lambda _, given: given[0] * given[1],
    "Neg": lambda _, given: -given[0],
    "Not": lambda _, given: ~given[0],
    "Pow": lambda _, given: given[0] ** given[1],
    "QuantizeLinear": _quantise,
    "Relu": lambda _, given: torch.relu(given[0]),
    "Sigmoid": lambda _, given: torch.sigmoid(given[0]),
    "Softmax": lambda attributes, given: torch.softmax(given[0], dim=_axis(attributes)),
    "Sqrt": lambda _, given: torch.sqrt(given[0]),
    "Sub": lambda _, given: given[0] - given[1],
    "Tanh": lambda _, given: torch.tanh(given[0]),
    "Transpose": lambda attributes, given: given[0].permute(attributes["perm"]),
    "Where": lambda _, given: torch.where(given[0], given[1], given[2]),
}
"""Tensors in, tensors out."""

SIZED: dict[str, Callable[[Attributes, Tensor, list[Any]], Any]] = {
    "Expand": _expand,
    "ReduceL2": _reduce(torch.linalg.vector_norm),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": lambda _, x, lists: x.squeeze(tuple(lists[0])) if lists else x.squeeze(),
    "Unsqueeze": _unsqueeze,
}
"""The first input is a tensor, the others are lists of integers."""
