"""What every learner is: samples with labels in, a fitted model out that gives probabilities.

The model of the paper, its ablations and the baselines stand behind this one interface, so that all
are trained on the same folds, choose their settings in the same way and are judged by the same code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from ..calibration import Calibration
from .samples import Samples
from .settings import Recipe
from .tables import from_table

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model says of S samples."""

    probability: NDArray[np.float64]
    """(S, N) that a unit is present."""
    emotion: tuple[str, ...]
    """(S,) class of the three-class protocol; '' where the learner names none."""


class Fitted(ABC):
    """A trained model."""

    watched: tuple[Answer, ...] = ()
    """Of the samples that were watched, one per epoch at which they were asked for."""
    curve: tuple[Mapping[str, float], ...] = ()
    """One row per epoch: epoch, loss and its terms."""

    @abstractmethod
    def answer(self, samples: Samples) -> Answer:
        """Probabilities and emotions of samples."""

    def notes(self) -> dict[str, float]:
        """Whatever else is worth a number, by name."""
        return {}

    def save(self, folder: Path) -> None:  # noqa: B027, a model without weights has nothing to write
        """Write the weights into a folder."""

    def write_checkpoint(self, folder: Path, calibration: Calibration, card: Mapping[str, Any]) -> None:
        """Write what `microau-export` takes. MicroauError where no bundle can be made of such a model."""
        raise MicroauError("only the paper's model becomes a bundle; a baseline is for comparison")


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One training."""

    train: Samples
    epochs: int
    """Of a network; other learners have none."""
    watch: Samples | None = None
    """Asked about, never learned from: where settings are chosen."""
    every_epoch: bool = False
    """Watch after every epoch; else after the last alone."""
    state: Path | None = None
    """File that holds a training that was stopped; None: it cannot be continued."""
    say: Say = field(default=lambda text: None)


class Learner(ABC):
    """Made anew for every training."""

    name: ClassVar[str]
    Settings: ClassVar[type]
    """Frozen dataclass of its own settings."""

    def __init__(self, settings: Any, recipe: Recipe) -> None:
        self.settings, self.recipe = settings, recipe

    def warm(self, samples: Samples, say: Say) -> None:  # noqa: B027, most have nothing to compute ahead
        """Compute once, before the folds, what they share."""

    @abstractmethod
    def fit(self, job: Job) -> Fitted:
        """Train. The same job, settings and recipe give the same weights, stopped and continued or not."""


LEARNERS = {
    "paper": ".learners.paper:PaperLearner",
    "resnet18": ".learners.resnet18:ResNet18Learner",
    "three-stream": ".learners.three_stream:ThreeStreamLearner",
    "logistic": ".learners.logistic:LogisticLearner",
    "never": ".learners.never:NeverLearner",
}
"""Name -> module and class; imported when it is asked for."""


def find_learner(name: str) -> type[Learner]:
    """The class of a learner. MicroauError where there is none of that name."""
    if name not in LEARNERS:
        raise MicroauError(f"learner {name}: there are {', '.join(LEARNERS)}")
    module, _, kind = LEARNERS[name].partition(":")
    found: type[Learner] = getattr(import_module(module, __package__), kind)
    return found


def make_learner(name: str, settings: Mapping[str, Any], recipe: Recipe) -> Learner:
    """A learner with its settings checked against its own table."""
    kind = find_learner(name)
    return kind(from_table(kind.Settings, settings, "learner.settings"), recipe)
