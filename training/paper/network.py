"""Micro-AU CLIP as published: from local independence to global dependency (Wei et al., arXiv 2603.16302).

One file, in the order of the paper: CLIP's towers, local semantic independence (Eq 1-3), global
semantic dependency (Eq 4-6), one decision per unit (Eq 7). The losses (Eq 8-12) are in `loss.py`, emotion
(Eq 13) in `emotion.py`, every open point in `options.py`.

Letters: B batch, N action units, L landmarks of the unit that has most, K landmarks of the face,
h x w token grid (7 x 7), W width of the vision tower (768), D of the space that images and texts share
(512), S image size (224).

The layers in front of the trained ones see no gradient: `frozen` computes them, once per sample,
`from_frozen` goes on from there, and `forward` is the one after the other. The sentences are always the
same, so what the text tower's frozen layers make of them is computed when the model is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ...engine.registration import CROP
from ..layout import Layout
from ..model import GlobalDependencyAttention, Grouped, Prediction, softmax_where, tokens_under
from ..prompts import state_sentences
from ..towers import TextTower, VisualTower, clip_model
from ..towers.text import tokenize
from .options import PaperOptions

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that CLIP was trained on, red, green, blue, 0..1 (Radford et al. 2021)."""


class ClipPicture(nn.Module):
    """Flow image, 0 where nothing moves -> the picture that CLIP expects: mid grey where nothing moves."""

    mean: Tensor
    std: Tensor

    def __init__(self, white: float) -> None:
        super().__init__()
        self.white = white
        self.register_buffer("mean", torch.tensor(CLIP_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(CLIP_STD)[:, None, None], persistent=False)

    def forward(self, flow: Tensor) -> Tensor:  # (B, 3, S, S)
        picture = 0.5 + flow / (2 * self.white)  # 0 black, 1 white; larger motion is not cut off
        return (picture - self.mean) / self.std


class PatchTokenAttention(nn.Module):
    """How much each landmark's token says about its unit (Eq 2-3)."""

    def __init__(self, units: int, width: int, hidden: int, *, shared: bool) -> None:
        super().__init__()
        self.mlp = _mlp(units, width, hidden, 1, shared=shared)

    def forward(self, own: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # (B, N, L, D), (N, L)
        scores = self.mlp(own)[..., 0]  # (B, N, L)
        weights = softmax_where(scores, mask)  # (B, N, L) Eq 2, W_j
        return (weights[..., None] * own).sum(2), weights  # (B, N, D) Eq 3


class MeanPool(nn.Module):
    """Every landmark says the same (Table VI, meanpool)."""

    def forward(self, own: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # (B, N, L, D), (N, L)
        share = mask.to(own.dtype) / mask.sum(1, keepdim=True)  # (N, L)
        weights = share.expand(own.shape[0], -1, -1)  # (B, N, L)
        return (weights[..., None] * own).sum(2), weights  # (B, N, D)


class MaxPool(nn.Module):
    """Of each feature its largest value (Table VI, maxpool); attention: whose value it was, how often."""

    def forward(self, own: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # (B, N, L, D), (N, L)
        lowest = torch.finfo(own.dtype).min
        most, whose = own.masked_fill(~mask[..., None], lowest).max(dim=2)  # (B, N, D)
        count = whose[..., None] == torch.arange(own.shape[2], device=own.device)  # (B, N, D, L)
        return most, count.to(own.dtype).mean(2)  # (B, N, D), (B, N, L)


class CatMlp(nn.Module):
    """F_G from the units side by side (Table VII, Cat+MLP)."""

    def __init__(self, units: int, width: int, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(units * width, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, local: Tensor) -> tuple[Tensor, Tensor]:  # (B, N, D)
        return self.mlp(local.flatten(1))[:, None], torch.zeros_like(local[..., 0])  # (B, 1, D), (B, N)


class AddMlp(nn.Module):
    """F_G from the sum of the units (Table VII, Add+MLP)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, local: Tensor) -> tuple[Tensor, Tensor]:  # (B, N, D)
        return self.mlp(local.sum(1))[:, None], torch.zeros_like(local[..., 0])  # (B, 1, D), (B, N)


class PaperModel(nn.Module):
    """Flow image and landmarks -> one decision per action unit, in the space of its sentences.

    image      (B, 3, S, S) flow image (`engine.flow_image`), S = 224
    landmarks  (B, K, 2) x, y on the apex frame, pixels of the crop, in the order of `layout.landmarks`
    """

    table: Tensor
    mask: Tensor
    sentences: Tensor
    ends: Tensor

    def __init__(self, options: PaperOptions, layout: Layout, clip: Any) -> None:
        super().__init__()
        self.options, self.layout, self.frame = options, layout, CROP
        table = torch.from_numpy(layout.table())  # (N, L)
        self.register_buffer("table", table.clamp(min=0), persistent=False)
        self.register_buffer("mask", table >= 0, persistent=False)
        layers, final = options.trainable_layers, options.tune_final
        self.picture = ClipPicture(options.picture)
        self.visual = VisualTower(clip.visual, layers, tune_final=final)
        text_layers = layers if options.trains_text else 0
        self.text = TextTower(clip, text_layers, tune_final=final and options.trains_text)
        self.log_scale: nn.Parameter = clip.logit_scale
        if options.scale:
            self.log_scale.data.fill_(options.scale).log_()
        self.log_scale.requires_grad_(options.learn_scale and options.contrast != "none")
        self._build_heads(len(table))
        self.read_sentences()

    def forward(self, image: Tensor, landmarks: Tensor) -> Prediction:
        return self.from_frozen(self.frozen(image), landmarks)

    def frozen(self, image: Tensor) -> Tensor:
        """Hidden states in front of the trained layers (B, 1 + h * w, W), without gradient."""
        return self.visual.frozen(self.picture(image))

    def from_frozen(self, hidden: Tensor, landmarks: Tensor) -> Prediction:
        x = self.visual.tuned(hidden)  # (B, 1 + h * w, W)
        if self.options.tokens == "projected":
            x = self.visual.shared(x)  # (B, 1 + h * w, D)
        local, attention = self.local(x, landmarks)  # (B, N, D), (B, N, L) Eq 1-3
        together, dependency = self.together(local)  # (B, 1, D), (B, N) Eq 4-6
        features = together + local  # (B, N, D) F_n
        logits = self.heads(features)  # (B, N, 2) Eq 7, before the softmax
        if self.options.tokens == "plain":
            features = self.visual.shared(features)  # (B, N, D)
        return _prediction(logits, features, attention, dependency)

    def local(self, x: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """F~_n of every unit on its own (LSI) and whom it listened to: (B, N, D), (B, N, L)."""
        if self.options.branches == "gsd":
            units = x[:, :1].expand(-1, len(self.table), -1)  # (B, N, D) the class token
            return self.start(units), x.new_zeros(x.shape[0], *self.table.shape)
        h, w = self.visual.grid
        tokens = x[:, 1:].reshape(x.shape[0], h, w, -1)  # (B, h, w, D) F
        own = tokens_under(tokens, landmarks, self.table, self.frame)  # (B, N, L, D) Eq 1, K_j
        pooled: tuple[Tensor, Tensor] = self.pool(own, self.mask)
        return pooled

    def together(self, local: Tensor) -> tuple[Tensor, Tensor]:
        """F_G, what the units say together (GSD), and the dependency weights: (B, 1, D), (B, N)."""
        if self.options.branches == "lsi":
            return torch.zeros_like(local[:, :1]), torch.zeros_like(local[..., 0])
        fused: tuple[Tensor, Tensor] = self.fuse(local)
        return fused

    def text_features(self) -> Tensor:
        """Features of the negative and the positive sentence of each unit, (N, 2, D)."""
        return self.text.tuned(self.sentences, self.ends).view(len(self.table), 2, -1)

    def describe(self, texts: Sequence[str]) -> Tensor:
        """Features of any texts (T, D), with gradient where the text tower learns; the rest is kept."""
        device = self.log_scale.device
        if new := [text for text in dict.fromkeys(texts) if text not in self._kept]:
            tokens, ends = tokenize(new, self.options.sizes.context)
            hidden = self.text.frozen(tokens.to(device))  # (T, C, E)
            parts = zip(new, hidden, ends.tolist(), strict=True)
            self._kept.update((text, states[: end + 1]) for text, states, end in parts)
        kept = [self._kept[text].to(device) for text in texts]
        ends = torch.tensor([len(states) - 1 for states in kept], device=device)
        return self.text.tuned(pad_sequence(kept, batch_first=True), ends)  # no token sees the padding

    def read_sentences(self) -> None:
        """Compute what the frozen text layers make of the units' sentences; again after new weights."""
        told = [text for pair in state_sentences(self.layout.aus) for text in pair]
        self._kept: dict[str, Tensor] = {}
        tokens, ends = tokenize(told, self.options.sizes.context)
        device = self.log_scale.device
        hidden = self.text.frozen(tokens.to(device))  # (2 N, C, E)
        self.register_buffer("sentences", hidden, persistent=False)
        self.register_buffer("ends", ends.to(device), persistent=False)

    def _build_heads(self, units: int) -> None:
        options, sizes = self.options, self.options.sizes
        width = sizes.width if options.tokens == "projected" else sizes.visual_width
        if options.branches == "gsd":
            self.start = Grouped(units, width, width)
        else:
            self.pool = _pool(options, units, width)
        if options.branches != "lsi":
            self.fuse = _fuse(options, units, width)
        self.heads = _mlp(units, width, options.head_width, 2, shared=options.heads == "shared")


def paper_model(options: PaperOptions, layout: Layout, seed: int = 1) -> PaperModel:
    """The model, its new parts (and with pretrained='random' its towers) drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        clip = clip_model(options.sizes, options.pretrained)
        torch.manual_seed(seed)  # the new parts are the same whatever the towers drew
        return PaperModel(options, layout, clip)


def _pool(options: PaperOptions, units: int, width: int) -> nn.Module:
    if options.pooling == "pta":
        return PatchTokenAttention(units, width, options.pta_width, shared=options.pta == "shared")
    return MeanPool() if options.pooling == "mean" else MaxPool()


def _fuse(options: PaperOptions, units: int, width: int) -> nn.Module:
    if options.fusion == "gda":
        return GlobalDependencyAttention(units, width, rows=options.dependency == "row")
    if options.fusion == "cat":
        return CatMlp(units, width, options.head_width)
    return AddMlp(width, options.head_width)


def _mlp(units: int, width: int, hidden: int, out: int, *, shared: bool) -> nn.Sequential:
    """One MLP per unit, or one for all: (B, N, ..., width) -> (B, N, ..., out)."""
    if shared:
        return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, out))
    return nn.Sequential(Grouped(units, width, hidden), nn.ReLU(), Grouped(units, hidden, out))


def _prediction(logits: Tensor, features: Tensor, attention: Tensor, dependency: Tensor) -> Prediction:
    """The paper decides no side: both sides are said to do what the unit does."""
    odds = logits[..., 1] - logits[..., 0]  # (B, N)
    return Prediction(
        logits=logits,
        side_logits=odds[..., None].expand(-1, -1, 2),
        features=features,
        side_features=features[:, :, None].expand(-1, -1, 2, -1),
        attention=attention,
        dependency=dependency,
    )
