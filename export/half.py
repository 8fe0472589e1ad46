"""Half precision put into the ONNX graph, where every back end reads it: products in fp16, sums of
squares and exponentials in fp32.

LayerNorm, softmax, norms and means stay in fp32: squares and exponentials of ViT activations leave
the range of fp16 (65504). What is computed from the landmark coordinates alone stays too: near 224
an fp16 number is 1/8 pixel wide, enough to choose the wrong token. Inputs and outputs stay fp32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from .onnx_graph import (
    FLOAT,
    HALF,
    array,
    constants,
    copy_of,
    depending_only_on,
    element_types,
    finish,
    tensor,
)

KEPT = frozenset(
    {
        *("LayerNormalization", "Softmax", "LogSoftmax", "LpNormalization"),
        *("ReduceL2", "ReduceSumSquare", "ReduceSum", "ReduceMean", "ReduceLogSumExp"),
        *("Exp", "Log", "Pow", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Resize"),
    }
)
"""Operators that stay in fp32."""
GUARDS = frozenset({"Clip", "Max", "Expand"})
"""Operators that stay where their input does: the guard of a norm, on its way to the division by it."""
LARGEST, SMALLEST = 65504.0, 2.0**-24
"""Of fp16: constants beyond the largest (masks of -1e9) are clipped to it, those below the smallest
(guards of divisions, 1e-12) raised to it, for a guard that becomes 0 guards nothing."""


def to_half(model: Any, coordinates: tuple[str, ...] = ("landmarks",)) -> Any:
    """The same model with its products in fp16.

    coordinates  inputs that are positions, not intensities
    """
    return _Halver(copy_of(model), coordinates).run()


class _Halver:
    """Decides for each node in which precision it works, and puts casts where two meet."""

    def __init__(self, model: Any, coordinates: tuple[str, ...]):
        self.model = model
        self.types = element_types(model)
        self.constants = constants(model)
        names = {i.name for i in model.graph.input} & set(coordinates)
        self.exact = depending_only_on(model, names)
        self.now = {name: FLOAT for name, kind in self.types.items() if kind == FLOAT}
        """Precision in which each float tensor exists after the change."""
        self.kept: set[str] = set()
        """Results of the nodes that stay in fp32."""
        self.casts: dict[tuple[str, int], str] = {}
        self.added: list[Any] = []

    def run(self) -> Any:
        graph = self.model.graph
        for node in graph.node:
            self._convert(node)
        for output in graph.output:
            self._restore(output.name)
        graph.node.extend(self.added)
        return finish(self.model)

    def _convert(self, node: Any) -> None:
        wanted = FLOAT if self._stays(node) else HALF
        for place, name in enumerate(node.input):
            if name in self.now and self.now[name] != wanted:
                node.input[place] = self._cast(name, wanted)
        self._retype(node, wanted)
        for name in node.output:
            if name in self.now:
                self.now[name] = wanted
        if wanted == FLOAT:
            self.kept.update(node.output)

    def _stays(self, node: Any) -> bool:
        guards = node.op_type in GUARDS and node.input[0] in self.kept
        divides = node.op_type == "Div" and node.input[1] in self.kept
        return node.op_type in KEPT or guards or divides or any(n in self.exact for n in node.output)

    def _retype(self, node: Any, wanted: int) -> None:
        """Nodes that name their result's type in an attribute."""
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == FLOAT:
                attribute.i = wanted
            if node.op_type == "ConstantOfShape" and attribute.t.data_type == FLOAT:
                attribute.t.CopyFrom(_half(attribute.t) if wanted == HALF else attribute.t)

    def _cast(self, name: str, wanted: int) -> str:
        """The tensor of that name in the wanted precision."""
        if (name, wanted) not in self.casts:
            suffix = "half" if wanted == HALF else "float"
            self.casts[name, wanted] = f"{name}_{suffix}"
            self._provide(name, f"{name}_{suffix}", wanted)
        return self.casts[name, wanted]

    def _provide(self, name: str, fresh: str, wanted: int) -> None:
        if name in self.constants:
            self.model.graph.initializer.append(_half(self.constants[name], fresh))
        else:
            self.added.append(onnx.helper.make_node("Cast", [name], [fresh], fresh, to=wanted))

    def _restore(self, name: str) -> None:
        """An output keeps its name and stays fp32: the half tensor behind it gets another name."""
        if self.now.get(name) != HALF:
            return
        inner = f"{name}_half"
        for node in [*self.model.graph.node, *self.added]:
            _rename(node.input, name, inner)
            _rename(node.output, name, inner)
        self.added.append(onnx.helper.make_node("Cast", [inner], [name], f"{name}_restored", to=FLOAT))


def _rename(names: Any, old: str, new: str) -> None:
    for place, name in enumerate(names):
        if name == old:
            names[place] = new


def _half(constant: Any, name: str | None = None) -> Any:
    values = array(constant)
    large = np.clip(np.abs(values), SMALLEST, LARGEST)
    kept = np.where(values == 0, 0, np.copysign(large, values)).astype(np.float16)
    return tensor(constant.name if name is None else name, kept)
