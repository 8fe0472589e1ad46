"""Read a TensorFlow Lite model: its operators in order, with their options and constant arrays.

Only what a float network of convolutions needs. Field numbers are those of TensorFlow Lite's schema
(tensorflow/lite/schema/schema.fbs, version 3); flatbuffers stores field i in slot 4 + 2 i.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from flatbuffers import number_types as kinds
from flatbuffers.table import Table
from numpy.typing import NDArray

from ..engine.errors import MicroauError

OPERATORS = {
    0: "add", 2: "concatenation", 3: "conv_2d", 4: "depthwise_conv_2d", 6: "dequantize", 17: "max_pool_2d",
    19: "relu", 22: "reshape", 34: "pad", 54: "prelu",
}  # fmt: skip
ACTIVATIONS = {0: "", 1: "relu"}
DTYPES = {0: np.float32, 1: np.float16, 2: np.int32}

# Options by operator: name -> (field number, type, default).
_CONV = {
    "padding": (0, kinds.Int8Flags, 0),
    "stride_w": (1, kinds.Int32Flags, 0),
    "stride_h": (2, kinds.Int32Flags, 0),
}
OPTIONS: dict[str, dict[str, tuple[int, Any, int]]] = {
    "add": {"activation": (0, kinds.Int8Flags, 0)},
    "concatenation": {"axis": (0, kinds.Int32Flags, 0), "activation": (1, kinds.Int8Flags, 0)},
    "conv_2d": {
        **_CONV,
        "activation": (3, kinds.Int8Flags, 0),
        "dilation_w": (4, kinds.Int32Flags, 1),
        "dilation_h": (5, kinds.Int32Flags, 1),
    },
    "depthwise_conv_2d": {
        **_CONV,
        "multiplier": (3, kinds.Int32Flags, 0),
        "activation": (4, kinds.Int8Flags, 0),
        "dilation_w": (5, kinds.Int32Flags, 1),
        "dilation_h": (6, kinds.Int32Flags, 1),
    },
    "max_pool_2d": {
        **_CONV,
        "width": (3, kinds.Int32Flags, 0),
        "height": (4, kinds.Int32Flags, 0),
        "activation": (5, kinds.Int8Flags, 0),
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operator:
    """One step: what it does, from which tensors, to which."""

    kind: str
    """A value of OPERATORS."""
    inputs: tuple[int, ...]
    """Numbers of the tensors it reads."""
    output: int
    options: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Network:
    """A whole model; tensors are known by number."""

    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: dict[int, tuple[int, ...]]
    """Of every tensor, TensorFlow's order: (1, H, W, C) for pictures."""
    constants: dict[int, NDArray[Any]]
    """The tensors that come with the file."""


def read(path: Path) -> Network:
    """Read a .tflite file; MicroauError where it is none or holds an operator that is not known here."""
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise MicroauError(f"{path}: not a TensorFlow Lite model")
    model = Table(data, int.from_bytes(data[:4], "little"))
    codes = [_operator_kind(code, path) for code in _tables(model, 1)]
    buffers = [_numbers(buffer, 0, kinds.Uint8Flags) for buffer in _tables(model, 4)]
    graph = _tables(model, 2)[0]
    tensors = _tables(graph, 0)
    shapes = {i: tuple(_numbers(tensor, 0, kinds.Int32Flags).tolist()) for i, tensor in enumerate(tensors)}
    return Network(
        operators=tuple(_operator(table, codes) for table in _tables(graph, 3)),
        inputs=tuple(_numbers(graph, 1, kinds.Int32Flags).tolist()),
        outputs=tuple(_numbers(graph, 2, kinds.Int32Flags).tolist()),
        shapes=shapes,
        constants=_constants(tensors, buffers, shapes),
    )


def _constants(
    tensors: list[Table], buffers: list[NDArray[Any]], shapes: dict[int, tuple[int, ...]]
) -> dict[int, NDArray[Any]]:
    found = {}
    for number, tensor in enumerate(tensors):
        data = buffers[_scalar(tensor, 2, kinds.Uint32Flags, 0)]
        if data.size:
            found[number] = data.view(DTYPES[_scalar(tensor, 1, kinds.Int8Flags, 0)]).reshape(
                shapes[number]
            )
    return found


def _operator_kind(code: Table, path: Path) -> str:
    old, new = _scalar(code, 0, kinds.Int8Flags, 0), _scalar(code, 3, kinds.Int32Flags, 0)
    number = max(old, new)  # the field moved when 127 codes were no longer enough
    if number not in OPERATORS:
        raise MicroauError(f"{path}: operator {number} of TensorFlow Lite cannot be converted")
    return OPERATORS[number]


def _operator(table: Table, codes: list[str]) -> Operator:
    kind = codes[_scalar(table, 0, kinds.Uint32Flags, 0)]
    return Operator(
        kind=kind,
        inputs=tuple(_numbers(table, 1, kinds.Int32Flags).tolist()),
        output=int(_numbers(table, 2, kinds.Int32Flags)[0]),
        options=_options(table, kind),
    )


def _options(table: Table, kind: str) -> dict[str, int]:
    place = table.Offset(4 + 2 * 4)
    if not place or kind not in OPTIONS:
        return {}
    options = Table(table.Bytes, table.Indirect(place + table.Pos))
    return {name: _scalar(options, *where) for name, where in OPTIONS[kind].items()}


def _scalar(table: Table, number: int, kind: Any, default: int) -> int:
    return int(table.GetSlot(4 + 2 * number, default, kind))


def _numbers(table: Table, number: int, kind: Any) -> NDArray[Any]:
    place = table.Offset(4 + 2 * number)
    if not place:
        return np.empty(0, kind.py_type)
    return np.asarray(table.GetVectorAsNumpy(kind, place))


def _tables(table: Table, number: int) -> list[Table]:
    place = table.Offset(4 + 2 * number)
    start, count = table.Vector(place), table.VectorLen(place)
    return [Table(table.Bytes, table.Indirect(start + 4 * i)) for i in range(count)]
