"""Train the compact model on flow samples: Eq 12 of the paper, with the sides beside it.

Deterministic: the same samples, recipe and number of threads give the same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray
from torch import Tensor

from ..engine.aus import MIRROR
from ..engine.flow_image import image_of
from .augment import Variation, moved_to, vary
from .flow_samples import FlowSamples
from .layout import Layout
from .losses import contrastive, global_dependency, unit_cross_entropy
from .model import CompactSizes, MicroAuClip, Prediction, compact_model

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, apart from the samples."""

    seed: int = 1
    epochs: int = 12
    batch: int = 64
    rate: float = 2e-3
    """Peak of the learning rate: it rises over the first tenth and falls to 0 as a cosine (AdamW)."""
    decay: float = 0.02
    alpha: float = 0.6
    """Weight of MiAUCL (Eq 12); the paper's for CASME II."""
    beta: float = 1.0
    """Weight of the GD loss (Eq 12)."""
    sides: float = 1.0
    """Weight of the decisions for left and right."""
    moves: float = 0.5
    """Percent OED from which a unit counts as moving."""
    still: float = 0.2
    """Percent OED up to which it counts as still; between the two it is not asked about."""
    together: float = 0.5
    """Share of samples to which another one is added: small movements add up."""
    strangers: bool = True
    """The added one may be of another face, and both are made smaller; else it is of the same person."""
    one_sided: float = 0.25
    """A side that moves less than this share of the other counts as still."""
    sizes: CompactSizes = field(default_factory=CompactSizes)
    variation: Variation = field(default_factory=Variation)


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of one step."""

    image: Tensor  # (B, 3, S, S)
    landmarks: Tensor  # (B, K, 2)
    labels: Tensor  # (B, N) 0 or 1
    known: Tensor  # (B, N) bool
    side_labels: Tensor  # (B, N, 2)
    side_known: Tensor  # (B, N, 2)


def fit(
    samples: FlowSamples, recipe: Recipe, say: Callable[[str], None] = lambda text: None
) -> MicroAuClip:
    """A model trained on all of the samples, ready to be used."""
    torch.manual_seed(recipe.seed)
    torch.use_deterministic_algorithms(True)
    layout = Layout.of(samples.aus)
    model = compact_model(layout, recipe.sizes)
    optimiser = torch.optim.AdamW(_groups(model, recipe), lr=recipe.rate)
    steps = recipe.epochs * (len(samples) // recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rise_and_fall(step, steps))
    for epoch in range(recipe.epochs):
        began, total = time.perf_counter(), 0.0
        for batch in batches(samples, layout, recipe, epoch):
            loss = objective(model, batch, recipe)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        mean = total / (len(samples) // recipe.batch)
        say(f"epoch {epoch + 1}/{recipe.epochs}: loss {mean:.3f}, {time.perf_counter() - began:.0f} s")
    model.eval()
    return model


def objective(model: MicroAuClip, batch: Batch, recipe: Recipe) -> Tensor:
    """Eq 12, with the same two terms for the sides; divided by N to keep its size."""
    said: Prediction = model(batch.image, batch.landmarks)
    scale = model.log_scale.clamp(max=math.log(100)).exp()
    loss = unit_cross_entropy(said.logits, batch.labels, batch.known)
    loss = loss + recipe.alpha * contrastive(
        said.features, model.text_features(), batch.labels, scale, batch.known
    )
    loss = loss + recipe.beta * global_dependency(said.dependency, batch.labels, batch.known)
    return (loss + recipe.sides * _side_loss(model, said, batch, scale, recipe)) / batch.labels.shape[1]


def _side_loss(model: MicroAuClip, said: Prediction, batch: Batch, scale: Tensor, recipe: Recipe) -> Tensor:
    """Left and right as units of their own, with their own sentences."""
    losses = nnf.binary_cross_entropy_with_logits(said.side_logits, batch.side_labels, reduction="none")
    decided = (losses * batch.side_known).sum() / batch.side_known.sum().clamp(min=1)
    count = len(batch.labels)
    named = contrastive(
        said.side_features.reshape(count, -1, said.features.shape[-1]),  # (B, 2N, D)
        model.side_text_features().flatten(0, 1),  # (2N, 2, D)
        batch.side_labels.reshape(count, -1).long(),
        scale,
        batch.side_known.reshape(count, -1),
    )
    return decided * batch.labels.shape[1] + recipe.alpha * named / 2


def batches(samples: FlowSamples, layout: Layout, recipe: Recipe, epoch: int) -> Iterator[Batch]:
    """Every sample once, shuffled and varied; the last ones that fill no batch are left out."""
    rng, like = np.random.default_rng((recipe.seed, epoch)), Likeness.of(samples)
    order = rng.permutation(len(samples))
    for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
        yield _batch(samples, order[start : start + recipe.batch], layout, like, recipe, rng)


def _batch(
    samples: FlowSamples,
    rows: NDArray[np.intp],
    layout: Layout,
    like: Likeness,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Batch:
    mirror_of, positions = opposite(layout), list(layout.landmarks)
    varied = []
    for i in rows:
        flow, amplitude = _in_company(samples, i, like, recipe, rng)
        points = samples.points[i, positions]
        varied.append(vary(flow, points, amplitude, mirror_of, rng, recipe.variation))
    images = np.stack([image_of(flow, samples.spec) for flow, _, _ in varied])
    labels = label(np.stack([amplitude for _, _, amplitude in varied]), layout.sided, recipe)
    landmarks = torch.from_numpy(np.stack([points for _, points, _ in varied]))
    image = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)  # twice as fast
    return Batch(image, landmarks, *(torch.from_numpy(array) for array in labels))


def _in_company(
    samples: FlowSamples, i: int, like: Likeness, recipe: Recipe, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Flow and amplitude of a sample; of some, with those of another sample added: units must be told
    apart in company that they seldom keep.
    """
    flow, amplitude = samples.flow[i].astype(np.float32), samples.amplitude[i]
    if rng.random() >= recipe.together:
        return flow, amplitude
    if recipe.strangers:
        return _with_stranger(samples, i, like, rng)
    other = int(rng.choice(like.of_person[int(samples.person[i])]))
    share = np.float32(rng.uniform(0.3, 1.0))
    return flow + share * samples.flow[other], amplitude + share * samples.amplitude[other]


def _with_stranger(
    samples: FlowSamples, i: int, like: Likeness, rng: np.random.Generator
) -> tuple[Array, Array]:
    """A sample with one of any face. Half of these are led by the same unit: between the ways in which
    two faces do one thing lie the ways of others.
    """
    same = like.led_by[like.leading[i]] if rng.random() < 0.5 else None
    other = int(rng.integers(len(samples)) if same is None else rng.choice(same))
    own, its = (np.float32(share) for share in rng.uniform(0.2, 1.0, 2))
    there = moved_to(samples.flow[other].astype(np.float32), samples.points[other], samples.points[i])
    return (
        own * samples.flow[i].astype(np.float32) + its * there,
        own * samples.amplitude[i] + its * samples.amplitude[other],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """Which samples are led by the same unit, and which are of one person."""

    leading: NDArray[np.intp]
    """(S,) the unit that moves most; N where nothing moves."""
    led_by: dict[int, NDArray[np.intp]]
    of_person: dict[int, NDArray[np.intp]]

    @classmethod
    def of(cls, samples: FlowSamples) -> Likeness:
        peak = np.nan_to_num(samples.amplitude).max(axis=2)
        leading = np.where(peak.max(axis=1) > 0, peak.argmax(axis=1), peak.shape[1])
        led_by = {int(n): np.flatnonzero(leading == n) for n in np.unique(leading)}
        person = {int(p): np.flatnonzero(samples.person == p) for p in np.unique(samples.person)}
        return cls(leading, led_by, person)


Labels = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float32], NDArray[np.bool_]]


def label(amplitude: Array, sided: NDArray[np.bool_], recipe: Recipe) -> Labels:
    """What the amplitudes (S, N, 2) mean: labels and known (S, N), side labels and known (S, N, 2)."""
    largest = amplitude.max(axis=2, keepdims=True)  # (S, N, 1)
    moves, still = amplitude >= recipe.moves, amplitude <= recipe.still
    one_sided = amplitude < recipe.one_sided * largest
    moves, still = moves & ~one_sided, still | one_sided
    whole_moves, whole_still = largest[..., 0] >= recipe.moves, largest[..., 0] <= recipe.still
    return (
        whole_moves.astype(np.int64),
        whole_moves | whole_still,
        moves.astype(np.float32),
        (moves | still) & sided[None, :, None],
    )


def opposite(layout: Layout) -> NDArray[np.intp]:
    """Position of the landmark opposite to each of the layout's landmarks, (K,)."""
    pairs = dict(MIRROR) | {left: right for right, left in MIRROR.items()}
    place = {point: k for k, point in enumerate(layout.landmarks)}
    return np.array([place[pairs.get(point, point)] for point in layout.landmarks], np.intp)


def _rise_and_fall(step: int, steps: int) -> float:
    warm = max(steps // 10, 1)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min((step - warm) / max(steps - warm, 1), 1.0)))


def _groups(model: MicroAuClip, recipe: Recipe) -> list[dict[str, object]]:
    """Weights decay; biases, norms and places do not."""
    weights = [p for p in model.parameters() if p.ndim > 1 and p.shape[0] != 1]
    others = [p for p in model.parameters() if not (p.ndim > 1 and p.shape[0] != 1)]
    return [{"params": weights, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
