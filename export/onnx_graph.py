"""Small tools over an ONNX model: reading it safely, its constants, its types, the way back to a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from ..engine.errors import MicroauError

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def load(path: Path) -> Any:
    """A ModelProto from one self-contained file; weights in other files are refused, not followed."""
    if not path.is_file():
        raise MicroauError(f"{path}: no such file")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except DecodeError as error:
        raise MicroauError(f"{path}: not an ONNX file ({error})") from error
    outside = [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise MicroauError(f"{path}: keeps weights in another file ({outside[0]}): export it as one file")
    return model


def copy_of(model: Any) -> Any:
    """A model of its own, with every Constant node turned into an initialiser."""
    fresh = onnx.ModelProto()
    fresh.CopyFrom(model)
    graph = fresh.graph
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        graph.initializer.append(_constant(node))
        graph.node.remove(node)
    return fresh


def _constant(node: Any) -> Any:
    value = onnx.helper.get_attribute_value(node.attribute[0])
    if node.attribute[0].name != "value":  # value_float, value_ints, ...: plain numbers
        value = numpy_helper.from_array(_plain(node.attribute[0].name, value))
    tensor = onnx.TensorProto()
    tensor.CopyFrom(value)
    tensor.name = node.output[0]
    return tensor


def _plain(kind: str, value: Any) -> NDArray[Any]:
    return np.array(value, np.float32 if "float" in kind else np.int64)


def constants(model: Any) -> dict[str, Any]:
    """Initialisers by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def array(tensor: Any) -> NDArray[Any]:
    """An initialiser's numbers."""
    return np.asarray(numpy_helper.to_array(tensor))


def tensor(name: str, values: NDArray[Any]) -> Any:
    """An initialiser."""
    return numpy_helper.from_array(np.array(values, order="C"), name)


def element_types(model: Any) -> dict[str, int]:
    """Tensor name -> element type, of inputs, constants and everything that is computed."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    types = {info.name: info.type.tensor_type.elem_type for info in [*graph.input, *graph.output]}
    types |= {info.name: info.type.tensor_type.elem_type for info in graph.value_info}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


def users(model: Any) -> Counter[str]:
    """Tensor name -> how many nodes and outputs read it."""
    read = Counter(name for node in model.graph.node for name in node.input)
    return read + Counter(output.name for output in model.graph.output)


def depending_only_on(model: Any, start: set[str]) -> set[str]:
    """Tensors computed from the given inputs and constants alone, themselves included."""
    reached = set(start)
    allowed = reached | set(constants(model))
    for node in model.graph.node:
        inputs = {name for name in node.input if name}
        if inputs & reached and inputs <= allowed:
            reached.update(node.output)
            allowed.update(node.output)
    return reached


def finish(model: Any) -> Any:
    """Drop what is no longer read and the recorded shapes, put nodes in order, check, infer again."""
    del model.graph.value_info[:]
    read = users(model)
    for unread in [t for t in model.graph.initializer if not read[t.name]]:
        model.graph.initializer.remove(unread)
    _sort(model.graph)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    onnx.checker.check_model(inferred)
    return inferred


def _sort(graph: Any) -> None:
    """Topological order: every node after those whose outputs it reads."""
    ready = {"", *(t.name for t in graph.initializer), *(i.name for i in graph.input)}
    waiting, ordered = list(graph.node), []
    while waiting:
        now = [node for node in waiting if ready.issuperset(node.input)]
        if not now:
            raise ValueError(f"nodes that read what nobody gives: {[node.name for node in waiting]}")
        ordered += now
        ready.update(name for node in now for name in node.output)
        waiting = [node for node in waiting if not ready.issuperset(node.output)]
    nodes = [_own(node) for node in ordered]
    del graph.node[:]
    graph.node.extend(nodes)


def _own(node: Any) -> Any:
    fresh = onnx.NodeProto()
    fresh.CopyFrom(node)
    return fresh
