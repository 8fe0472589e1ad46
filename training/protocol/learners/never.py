"""Never sees a unit: the row that every other one must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..learner import Answer, Fitted, Job, Learner
from ..samples import Samples


@dataclass(frozen=True, slots=True)
class NeverSettings:
    """It has none."""


class Never(Fitted):
    """Probability 0 for everything."""

    def answer(self, samples: Samples) -> Answer:
        return Answer(np.zeros(samples.labels.shape), ("",) * len(samples))


class NeverLearner(Learner):
    """Learns nothing."""

    name = "never"
    Settings = NeverSettings

    def fit(self, job: Job) -> Fitted:
        fitted = Never()
        fitted.watched = (fitted.answer(job.watch),) if job.watch is not None else ()
        return fitted
