"""Learners that are networks: SGD as the paper prints it, half precision, and going on after a stop.

A network says how it is built, what it is fed and what its loss is; the steps are the same for all.
The same settings, samples and number of threads give the same weights, whether the training ran through
or was killed and continued any number of times.
"""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from ...engine.errors import MicroauError
from ..calibration import Calibration
from .learner import Answer, Fitted, Job, Learner
from .samples import Rows, Samples
from .settings import Recipe
from .state import Progress, learned, load_state, save_state

Feed = Callable[[Rows], tuple[Tensor, ...]]
"""Rows of some samples -> what the network is given."""
Losses = dict[str, Tensor]
"""'total' and its terms."""

SECONDS = 30.0
"""Between two states on disk: a state of CLIP's last layers is 250 MB. Where they are does not matter to
the result; MICROAU_STATE_SECONDS sets another number (tests: 0, a state after every epoch)."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class NetworkLearner(Learner):
    """What a network must say of itself."""

    @abstractmethod
    def build(self, samples: Samples) -> nn.Module:
        """The network before training, the same at every call."""

    @abstractmethod
    def feed(self, model: nn.Module, samples: Samples) -> Feed:
        """What it is given of these samples."""

    @abstractmethod
    def loss(self, model: nn.Module, inputs: Sequence[Tensor], labels: Tensor, known: Tensor) -> Losses:
        """Of a batch: labels (B, N) 0 or 1, known (B, N) bool."""

    @abstractmethod
    def say(self, model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, list[str]]:
        """Probabilities (B, N) and emotions (B,) of a batch."""

    def notes(self, model: nn.Module) -> dict[str, float]:
        """Numbers about the trained network itself."""
        return {}

    def write_checkpoint(
        self, model: nn.Module, folder: Path, calibration: Calibration, card: Mapping[str, Any]
    ) -> None:
        """Write what `microau-export` takes."""
        raise MicroauError(f"{self.name}: only the paper's model becomes a bundle; this one compares")

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Parameters with their rates; a baseline has no towers."""
        return [{"params": list(model.parameters()), "lr": self.recipe.head_rate}]

    def fit(self, job: Job) -> FittedNetwork:
        return Training(self, job).run()


class FittedNetwork(Fitted):
    """A trained network."""

    def __init__(self, learner: NetworkLearner, model: nn.Module) -> None:
        self.learner, self.model = learner, model

    def answer(self, samples: Samples) -> Answer:
        return ask(self.learner, self.model, samples)

    def notes(self) -> dict[str, float]:
        return self.learner.notes(self.model)

    def write_checkpoint(self, folder: Path, calibration: Calibration, card: Mapping[str, Any]) -> None:
        self.learner.write_checkpoint(self.model, folder, calibration, card)

    def save(self, folder: Path) -> None:
        state = {name: tensor.contiguous().cpu() for name, tensor in learned(self.model).items()}
        save_file(state, folder / "weights.safetensors")


def ask(learner: NetworkLearner, model: nn.Module, samples: Samples, feed: Feed | None = None) -> Answer:
    """What the network says of samples, in batches of the recipe's size."""
    model.eval()
    given = feed or learner.feed(model, samples)
    parts, emotions = [], []
    with torch.no_grad(), _autocast(learner.recipe):
        for rows in _chunks(np.arange(len(samples)), learner.recipe.batch):
            probability, named = learner.say(model, given(rows))
            parts.append(probability.float().cpu().numpy())
            emotions += named
    return Answer(np.concatenate(parts).astype(np.float64), tuple(emotions))


class Training:
    """One training from its start, or from where it was stopped."""

    def __init__(self, learner: NetworkLearner, job: Job) -> None:
        self.learner, self.job, self.recipe = learner, job, learner.recipe
        _settle(self.recipe)
        self.model = learner.build(job.train).to(self.recipe.device)
        self.groups = learner.groups(self.model)
        self.rates = [group["lr"] for group in self.groups]
        self.optimiser = torch.optim.SGD(
            self.groups,
            lr=self.recipe.head_rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.decay,
        )
        half = self.recipe.precision == "fp16"  # its small gradients would vanish
        self.scaler = torch.amp.GradScaler(self.recipe.device.split(":")[0], enabled=half)
        self.labels = torch.from_numpy(job.train.labels).to(self.recipe.device)  # (S, N)
        self.curve: list[dict[str, float]] = []
        self.watched: list[Answer] = []

    def run(self) -> FittedNetwork:
        feed = self.learner.feed(self.model, self.job.train)
        watch = self.learner.feed(self.model, self.job.watch) if self.job.watch is not None else None
        start, saved = self._resume(), time.monotonic()
        for epoch in range(start, self.job.epochs):
            self.curve.append({"epoch": epoch + 1} | self._epoch(feed, epoch))
            if watch is not None and (self.job.every_epoch or epoch + 1 == self.job.epochs):
                self.watched.append(ask(self.learner, self.model, self.job.watch, watch))  # type: ignore[arg-type]
            self.job.say(f"epoch {epoch + 1}/{self.job.epochs}: loss {self.curve[-1]['total']:.4f}")
            if self.job.state is not None and time.monotonic() - saved >= _seconds():
                self._save(epoch + 1)
                saved = time.monotonic()
        fitted = FittedNetwork(self.learner, self.model.eval())
        fitted.watched, fitted.curve = tuple(self.watched), tuple(self.curve)
        return fitted

    def _epoch(self, feed: Feed, epoch: int) -> dict[str, float]:
        """One pass over the samples; the mean of every loss."""
        self.model.train()
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate / (self.recipe.drop_by if epoch >= self.recipe.drop_at else 1.0)
        order = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.job.train))
        totals: dict[str, float] = {}
        for rows in _chunks(order, self.recipe.batch):
            for name, value in self.step(feed(rows), rows).items():
                totals[name] = totals.get(name, 0.0) + value * len(rows)
        return {name: total / len(order) for name, total in totals.items()}

    def step(self, inputs: Sequence[Tensor], rows: Rows) -> dict[str, float]:
        labels = self.labels[torch.from_numpy(rows)]
        with _autocast(self.recipe):
            losses = self.learner.loss(self.model, inputs, labels.clamp(min=0), labels >= 0)
        self.optimiser.zero_grad()
        torch.autograd.backward(self.scaler.scale(losses["total"]))
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return {name: value.item() for name, value in losses.items()}

    def _save(self, epoch: int) -> None:
        arrays = {f"watched{k}": torch.from_numpy(a.probability) for k, a in enumerate(self.watched)}
        notes = {"curve": self.curve, "emotions": [a.emotion for a in self.watched]}
        assert self.job.state is not None
        progress = Progress(epoch, notes, arrays)
        save_state(self.job.state, progress, self.model, self.optimiser, dict(self.scaler.state_dict()))

    def _resume(self) -> int:
        """How many epochs are done."""
        if self.job.state is None or not self.job.state.exists():
            return 0
        progress, scaler = load_state(self.job.state, self.model, self.optimiser)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)
        self.curve = progress.notes["curve"]
        self.watched = [
            Answer(progress.arrays[f"watched{k}"].numpy(), tuple(emotion))
            for k, emotion in enumerate(progress.notes["emotions"])
        ]
        self.job.say(f"goes on after epoch {progress.epoch}")
        return progress.epoch


def _settle(recipe: Recipe) -> None:
    """The same numbers at every run."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(recipe.seed)


def _seconds() -> float:
    return float(os.environ.get("MICROAU_STATE_SECONDS", SECONDS))


def _autocast(recipe: Recipe) -> torch.autocast:
    device = recipe.device.split(":")[0]
    return torch.autocast(device, DTYPES[recipe.precision], enabled=recipe.precision != "fp32")


def _chunks(order: NDArray[np.intp], size: int) -> Iterator[Rows]:
    """Batches of that size; a single sample that would remain joins the last one (it has no spread)."""
    stops = list(range(size, len(order), size))
    if stops and len(order) - stops[-1] == 1:
        stops.pop()
    yield from np.split(order, stops)
