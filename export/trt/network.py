"""From an ONNX file to a TensorRT network: strongly typed, so that the file alone decides the precision."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ...engine.engine_file import Profile, Shape
from ...engine.errors import MicroauError
from .session import Session

_SILENT = {"CONSTANT", "SHAPE", "SHUFFLE", "CAST", "IDENTITY", "SQUEEZE", "UNSQUEEZE"}
"""Layers that compute nothing: left out of the summary."""


def parse(session: Session, onnx: Path) -> Any:
    """The network in an ONNX file; MicroauError names every node that the parser refuses."""
    network = session.builder.create_network(_strongly_typed(session.trt))
    parser = session.trt.OnnxParser(network, session.log)
    if not parser.parse(onnx.read_bytes()):
        complaints = [_complaint(parser.get_error(i)) for i in range(parser.num_errors)]
        raise MicroauError(f"{onnx}: TensorRT cannot read it: " + "; ".join(complaints))
    return network


def _strongly_typed(trt: Any) -> int:
    """The creation flag where it still exists: TensorRT 11 knows no other kind of network."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _complaint(error: Any) -> str:
    where = f"node {error.node_name() or error.node()} ({error.node_operator() or 'unknown operator'})"
    what = error.desc()
    # The static checks of the parser describe an operator that it does not know as 'false'.
    return f"{where}: {'operator not supported' if what == 'false' else what}"


def profile(network: Any, batch: Shape) -> Profile:
    """Shapes of every input for the smallest, the best and the largest batch.

    MicroauError where an input has another free dimension than the batch, its first.
    """
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    return {tensor.name: _shapes(tensor.name, tuple(tensor.shape), batch) for tensor in inputs}


def _shapes(name: str, shape: Shape, batch: Shape) -> tuple[Shape, Shape, Shape]:
    if not shape or shape[0] != -1 or -1 in shape[1:]:
        raise MicroauError(f"input {name} is {shape}: its batch, the first axis, alone must be free (-1)")
    smallest, best, largest = ((n, *shape[1:]) for n in batch)
    return smallest, best, largest


def layer_types(network: Any) -> Counter[tuple[str, str]]:
    """How many layers of each kind give which data type: (kind, type) -> count.

    The network is strongly typed, so fusions change the number of layers, never the types.
    """
    layers = (network.get_layer(i) for i in range(network.num_layers))
    kinds = ((layer.type.name, _type(layer)) for layer in layers if layer.num_outputs)
    return Counter((kind.lower(), given) for kind, given in kinds if kind not in _SILENT)


def _type(layer: Any) -> str:
    return str(layer.get_output(0).dtype.name).lower()


def layer_table(counts: Counter[tuple[str, str]]) -> str:
    """One line per kind of layer, columns per data type."""
    types = sorted({given for _, given in counts})
    kinds = sorted({kind for kind, _ in counts})
    width = max(map(len, kinds), default=0)
    lines = [" " * width + "".join(f"{given:>8}" for given in types)]
    for kind in kinds:
        lines.append(f"{kind:<{width}}" + "".join(f"{counts[kind, given] or '.':>8}" for given in types))
    return "\n".join(lines)
