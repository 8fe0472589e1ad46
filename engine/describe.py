"""From two face crops to action units: which moved, on which side, how sure, and what follows from it.

in    onset and apex crops (224, 224) uint8, face points (478, 3) in the crop
out   AuResult
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle, Unit
from .chain import Outputs, Pairs, open_chain
from .closing import Closing
from .explain import Shift, explained

Array = NDArray[np.float32]
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8], Array]
"""Onset and apex crop, face points at the onset."""
DEFAULT_BUNDLE = Path(__file__).parent / "assets" / "default.onnx"
OTHER = "other"
"""The emotion where no unit is decided, or no class stands out."""


class Shared(Protocol):
    """What a chain does, whoever owns it."""

    @property
    def bundle(self) -> Bundle: ...

    def __call__(self, pairs: Pairs) -> Outputs: ...

    def of_flow(self, flow: Array, points: Array) -> Outputs: ...


@dataclass(frozen=True, slots=True)
class Decided:
    """One action unit that is decided present."""

    au: int
    side: str = ""
    """'L' or 'R' of the subject where only one side moved."""

    def __str__(self) -> str:
        return f"{self.side}{self.au}"


@dataclass(frozen=True, slots=True, eq=False)
class AuResult:
    """What one movement was, as far as the model can tell: candidates to be looked at."""

    probabilities: dict[str, float]
    """'AU01' -> calibrated probability 0..1, every unit of the model, ascending."""
    sides: dict[str, tuple[float, float]]
    """'AU12' -> probability of the subject's left and right, for the units with two sides."""
    present: tuple[Decided, ...]
    """Ascending."""
    emotion: str
    """A class of the bundle, or 'other'."""
    emotion_scores: dict[str, float]
    """Class -> mean cosine between visual features and the class's sentences (Eq 13)."""
    amplitude: float
    """Largest movement of a named point, percent OED; 0 where none moved."""
    shifts: tuple[Shift, ...]
    """Named points that moved, largest first."""
    attention: dict[str, dict[int, float]] = field(default_factory=dict)
    """'AU12' -> mesh point -> share of the unit's attention."""
    dependency: dict[str, float] = field(default_factory=dict)
    """'AU12' -> its share in the global feature (Eq 5)."""

    @property
    def emotion_score(self) -> float:
        return self.emotion_scores[self.emotion]


class Describer(Closing):
    """A model and the flow that belongs to it. One object serves one thread.

    shared   a chain of somebody else's (`stream.sharing`), called in place of an own one and not closed
    """

    def __init__(
        self,
        bundle: str | Path = DEFAULT_BUNDLE,
        device: str = "cpu",
        threads: int = 1,
        rebuild: str = "never",
        shared: Shared | None = None,
    ) -> None:
        self._own = open_chain(bundle, device, threads, rebuild) if shared is None else None
        self._chain: Shared = shared or self._own  # type: ignore[assignment]

    @property
    def bundle(self) -> Bundle:
        return self._chain.bundle

    def describe(self, onset: NDArray[np.uint8], apex: NDArray[np.uint8], points: Array) -> AuResult:
        """What moved between two crops that were cut with the same matrix."""
        return self.describe_all([(onset, apex, points)])[0]

    def describe_all(self, pairs: Sequence[Pair]) -> list[AuResult]:
        """The same for several pairs, computed together where that pays."""
        if not pairs:
            return []
        onsets, apexes, points = zip(*pairs, strict=True)
        faces = np.stack(points).astype(np.float32)
        outputs = self._chain({"onset": np.stack(onsets), "apex": np.stack(apexes), "points": faces})
        rows = ({name: array[i] for name, array in outputs.items()} for i in range(len(pairs)))
        return [read_outputs(self.bundle, row) for row in rows]

    def describe_flows(self, flows: Sequence[Array], points: Sequence[Array]) -> list[AuResult]:
        """The same for facial flows (224, 224, 2) that are there already."""
        together = zip(flows, points, strict=True)
        return [read_outputs(self.bundle, self._chain.of_flow(flow, face)) for flow, face in together]

    def close(self) -> None:
        if self._own is not None:
            self._own.close()


def read_outputs(bundle: Bundle, row: dict[str, Array]) -> AuResult:
    """One sample's outputs of the chain, by name and without the batch, as a result."""
    present = decide(bundle.units, row["probability"], row["side_probability"])
    scores = {name: float(s) for name, s in zip(bundle.emotions, row["emotion"], strict=True)}
    moved = explained(row["moved"], [unit.au for unit in present])
    units = list(enumerate(bundle.units))
    return AuResult(
        probabilities={unit.code: float(row["probability"][n]) for n, unit in units},
        sides={
            unit.code: (float(row["side_probability"][n, 0]), float(row["side_probability"][n, 1]))
            for n, unit in units
            if unit.sided
        },
        present=present,
        emotion=decide_emotion(scores, bundle, {unit.au for unit in present}),
        emotion_scores=scores,
        amplitude=moved[0].length if moved else 0.0,
        shifts=moved,
        attention={unit.code: _attention(bundle, unit, row["attention"][n]) for n, unit in units},
        dependency={unit.code: float(row["dependency"][n]) for n, unit in units},
    )


def decide(units: Sequence[Unit], probability: Array, sides: Array) -> tuple[Decided, ...]:
    """The units above their thresholds, each with its side where that one moved clearly more.

    probability  (N,)
    sides        (N, 2) subject's left and right
    """
    return tuple(
        Decided(unit.au, _side(unit, sides[n]))
        for n, unit in enumerate(units)
        if probability[n] >= unit.threshold
    )


def _side(unit: Unit, sides: Array) -> str:
    p = np.clip(np.asarray(sides, np.float64), 1e-7, 1 - 1e-7)
    odds = np.log(p / (1 - p))
    gap = float(odds[0] - odds[1])
    if not unit.sided or abs(gap) < unit.side_margin:
        return ""
    return "L" if gap > 0 else "R"


def decide_emotion(scores: dict[str, float], bundle: Bundle, present: Collection[int]) -> str:
    """The class most alike, of those that the decided units can stand for.

    'other' where no prototype of any class is wholly among the decided units, or where the best class
    does not lead the next one by the bundle's margin.
    """
    classes = sorted(
        (name for name in scores if name != OTHER and _possible(bundle.prototypes[name], present)),
        key=lambda name: -scores[name],
    )
    if not classes:
        return OTHER
    rivals = [scores[name] for name in scores if name not in (classes[0], OTHER)]
    return classes[0] if scores[classes[0]] - max(rivals, default=-1.0) >= bundle.emotion_margin else OTHER


def _possible(prototypes: Sequence[Sequence[int]], present: Collection[int]) -> bool:
    return any(set(units) <= set(present) for units in prototypes)


def _attention(bundle: Bundle, unit: Unit, weights: Array) -> dict[int, float]:
    """Attention (L,) over a unit's landmarks, filled up at the end, by mesh point."""
    return {bundle.landmarks[k]: float(w) for k, w in zip(unit.tokens, weights, strict=False)}
