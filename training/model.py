"""Micro-AU CLIP: from local independence to global dependency (Wei et al., arXiv 2603.16302).

One file, in the order of the paper: patch tokens under each unit's landmarks and their attention
(LSI, Eq 1-3), dependency between the units (GSD, Eq 4-6), one decision per unit (Eq 7), emotion by
text similarity (Eq 13). The losses are in `losses.py`, the sentences in `prompts.py`.

Letters: B batch, N action units, L landmarks of the unit that has most, K landmarks of the face,
h x w token grid, D width of tokens and text features, R emotion classes, S image size.

This is the default model; the paper's own, on CLIP's towers, is `paper/network.py`, which shares the
equations. Ours, where the paper has nothing: a compact visual tower in place of ViT-B/32, and the two
sides of a face, decided from the same attention restricted to one half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..engine.registration import CROP
from .layout import Layout
from .prompts import state_sentences, tokenize, vocabulary


@dataclass(frozen=True, slots=True)
class CompactSizes:
    """Sizes of the default model's own towers; the defaults are those of the shipped bundle."""

    stem: int = 24
    """Channels after the first convolution, on half the image's grid."""
    width: int = 64
    """D."""
    blocks: int = 4
    kernel: int = 7
    """Of the depthwise convolutions, in tokens."""
    expansion: int = 2
    image: int = 112
    """S."""
    grid: int = 28
    """h = w. One token is 8 pixels of the crop, 7 % of the eye distance."""
    text_width: int = 64
    text_heads: int = 4


BLIND = 0.2
"""Share of the landmarks that a unit must do without, drawn anew at every step of training."""
SCALE = 3.0
"""Where the contrastive loss's logit scale starts; it is learned. CLIP's 1 / 0.07 asks for so little
difference between a unit's two sentences that they stay alike, and Eq 13 needs them apart."""


class Prediction(NamedTuple):
    """What the network says of a batch."""

    logits: Tensor  # (B, N, 2) still, moving
    side_logits: Tensor  # (B, N, 2) log-odds that the subject's left, right moves
    features: Tensor  # (B, N, D) F_n
    side_features: Tensor  # (B, N, 2, D)
    attention: Tensor  # (B, N, L) W_j, 0 where the unit has no landmark
    dependency: Tensor  # (B, N) W_d


class Block(nn.Module):
    """Residual block: what is around a token, then what it means (ConvNeXt, Liu et al. 2022)."""

    def __init__(self, width: int, kernel: int, expansion: int, dilation: int) -> None:
        super().__init__()
        pad = dilation * (kernel // 2)
        self.around = nn.Conv2d(
            width, width, kernel, padding=pad, dilation=dilation, groups=width, bias=False
        )
        self.norm = nn.BatchNorm2d(width)
        self.meaning = nn.Sequential(
            nn.Conv2d(width, expansion * width, 1), nn.ReLU(), nn.Conv2d(expansion * width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.meaning(self.norm(self.around(x)))
        return x + change


class CompactTower(nn.Module):
    """Flow image -> tokens of a fine grid. The crop is registered, so each place has its own bias."""

    def __init__(self, sizes: CompactSizes) -> None:
        super().__init__()
        if sizes.image != 4 * sizes.grid:
            raise ValueError(f"the tower halves twice: image {sizes.image}, grid {sizes.grid}")
        self.grid = (sizes.grid, sizes.grid)
        self.stem = nn.Sequential(
            nn.Conv2d(3, sizes.stem, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(sizes.stem),
            nn.ReLU(),
            nn.Conv2d(sizes.stem, sizes.width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(sizes.width),
            nn.ReLU(),
        )
        self.place = nn.Parameter(torch.zeros(1, sizes.width, *self.grid))
        self.blocks = nn.Sequential(
            *(
                Block(sizes.width, sizes.kernel, sizes.expansion, dilation=1 + i % 2)
                for i in range(sizes.blocks)
            )
        )
        self.project = nn.Sequential(nn.BatchNorm2d(sizes.width), nn.Conv2d(sizes.width, sizes.width, 1))

    def forward(self, image: Tensor) -> Tensor:  # (B, 3, S, S)
        x = self.stem(image) + self.place  # (B, D, h, w)
        tokens: Tensor = self.project(self.blocks(x))  # (B, D, h, w)
        return tokens.permute(0, 2, 3, 1)  # (B, h, w, D)


class TextTower(nn.Module):
    """Word numbers -> text features: one small transformer layer over a vocabulary of some 60 words."""

    def __init__(self, words: int, sizes: CompactSizes, context: int = 16) -> None:
        super().__init__()
        self.words = nn.Embedding(words, sizes.text_width, padding_idx=0)
        self.place = nn.Parameter(torch.randn(context, sizes.text_width) * 0.02)
        self.layer = nn.TransformerEncoderLayer(
            sizes.text_width,
            sizes.text_heads,
            2 * sizes.text_width,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
        )
        self.project = nn.Linear(sizes.text_width, sizes.width)

    def forward(self, numbers: Tensor) -> Tensor:  # (T, W), 0 fills up
        empty = numbers == 0  # (T, W)
        x = self.words(numbers) + self.place[: numbers.shape[1]]  # (T, W, E)
        x = self.layer(x, src_key_padding_mask=empty)  # (T, W, E)
        x = x.masked_fill(empty[..., None], 0).sum(1) / (~empty).sum(1, keepdim=True)  # (T, E)
        features: Tensor = self.project(x)
        return features  # (T, D)


class Grouped(nn.Module):
    """One linear map per unit: (B, N, ..., D) -> (B, N, ..., out)."""

    def __init__(self, units: int, width: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(units, width, out).uniform_(-1, 1) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(units, out))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(x.shape[0], x.shape[1], -1, x.shape[-1])  # (B, N, M, D)
        y = flat @ self.weight + self.bias[:, None]  # (B, N, M, out)
        return y.reshape(*x.shape[:-1], -1)


class PatchTokenAttention(nn.Module):
    """How much each landmark's token says about its unit (Eq 2): W_j = softmax_j(MLP(K_j))."""

    def __init__(self, units: int, landmarks: int, width: int, hidden: int = 16) -> None:
        super().__init__()
        self.mlp = nn.Sequential(Grouped(units, width, hidden), nn.ReLU(), Grouped(units, hidden, 1))
        self.prior = nn.Parameter(torch.zeros(units, landmarks))  # ours: inner brow is not outer brow

    def forward(self, tokens: Tensor) -> Tensor:  # (B, N, L, D)
        scores: Tensor = self.mlp(tokens)[..., 0] + self.prior
        if self.training:  # ours: no unit may hang on one landmark, whose flow can be wrong
            scores = scores.masked_fill(torch.rand_like(scores) < BLIND, -1e4)
        return scores  # (B, N, L), before the softmax


class GlobalDependencyAttention(nn.Module):
    """Which units the others depend on, and what these say together (Eq 4-6)."""

    def __init__(self, units: int, width: int, *, rows: bool = False) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        # open in the paper: FC maps the flattened A to all weights, or each row of A to its own
        self.fc = nn.Linear(units, 1) if rows else nn.Linear(units * units, units)
        self.rows = rows

    def forward(self, local: Tensor) -> tuple[Tensor, Tensor]:  # (B, N, D)
        scores = self.query(local) @ self.key(local).transpose(1, 2)  # (B, N, N)
        a = (scores / local.shape[-1] ** 0.5).softmax(dim=-1)  # (B, N, N) Eq 4
        said = self.fc(a)[..., 0] if self.rows else self.fc(a.flatten(1))  # (B, N)
        weights = said.relu().softmax(dim=-1)  # (B, N) Eq 5, W_d
        together = weights[:, None] @ self.value(local)  # (B, 1, D) Eq 6, F_G
        return together, weights


class MicroAuClip(nn.Module):
    """Flow image and landmarks -> one decision per action unit, with features that live beside text.

    visual  image (B, 3, S, S) -> tokens (B, h, w, D); has `grid` = (h, w)
    text    word numbers (T, W) -> features (T, D)
    frame   pixels of the square frame in which the landmarks are given
    """

    table: Tensor
    mask: Tensor
    halves: Tensor
    sentences: Tensor
    side_sentences: Tensor

    def __init__(
        self, layout: Layout, visual: CompactTower, text: TextTower, width: int, frame: int = CROP
    ) -> None:
        super().__init__()
        self.layout, self.visual, self.text, self.frame = layout, visual, text, frame
        table = torch.from_numpy(layout.table())  # (N, L)
        units, landmarks = table.shape
        self.register_buffer("table", table.clamp(min=0), persistent=False)
        self.register_buffer("mask", table >= 0, persistent=False)
        self.register_buffer("halves", torch.from_numpy(layout.side_masks()), persistent=False)
        self._register_sentences(layout)
        self.pta = PatchTokenAttention(units, landmarks, width)
        self.gda = GlobalDependencyAttention(units, width)
        self.heads = _heads(units, width, 2)
        self.left, self.right = _heads(units, width, 1), _heads(units, width, 1)
        self.log_scale = nn.Parameter(torch.tensor(SCALE).log())  # of the contrastive loss

    def forward(self, image: Tensor, landmarks: Tensor) -> Prediction:
        tokens = self.visual(image)  # (B, h, w, D)
        own = tokens_under(tokens, landmarks, self.table, self.frame)  # (B, N, L, D) Eq 1, K_j
        scores = self.pta(own)  # (B, N, L)
        attention = softmax_where(scores, self.mask)  # (B, N, L) Eq 2, W_j
        local = (attention[..., None] * own).sum(2)  # (B, N, D) Eq 3
        together, dependency = self.gda(local)  # (B, 1, D), (B, N) Eq 4-6
        features = local + together  # (B, N, D) F_n
        logits = self.heads(features)  # (B, N, 2) Eq 7, before the softmax

        halves = softmax_where(scores[:, :, None], self.halves)  # (B, N, 2, L)
        sides = halves @ own + together[:, :, None]  # (B, N, 2, D) left, right
        side_logits = torch.cat([self.left(sides[:, :, 0]), self.right(sides[:, :, 1])], -1)  # (B, N, 2)
        return Prediction(logits, side_logits, features, sides, attention, dependency)

    def text_features(self) -> Tensor:
        """Features of the negative and the positive sentence of each unit, (N, 2, D)."""
        features: Tensor = self.text(self.sentences)
        return features.view(len(self.table), 2, -1)

    def side_text_features(self) -> Tensor:
        """The same for the subject's left and right, (N, 2 sides, 2, D)."""
        features: Tensor = self.text(self.side_sentences)
        return features.view(len(self.table), 2, 2, -1)

    def _register_sentences(self, layout: Layout) -> None:
        words = vocabulary()
        whole = [text for pair in state_sentences(layout.aus) for text in pair]
        sides = [
            text
            for au, sided in zip(layout.aus, layout.sided, strict=True)
            for side in ("L", "R")
            for text in state_sentences((au,), side if sided else "")[0]
        ]
        self.register_buffer("sentences", torch.from_numpy(tokenize(whole, words)), persistent=False)
        self.register_buffer("side_sentences", torch.from_numpy(tokenize(sides, words)), persistent=False)


def compact_model(layout: Layout, sizes: CompactSizes) -> MicroAuClip:
    """The default model: the paper's structure on small towers of its own."""
    visual, text = CompactTower(sizes), TextTower(len(vocabulary()), sizes)
    return MicroAuClip(layout, visual, text, sizes.width)


class EmotionByText(nn.Module):
    """Eq 13: similarity of the visual features with the sentences that a class would have spoken.

    A class has one or several prototypes, each a set of moving units; the best one counts. The sum
    over the units is divided by N, so that the similarity lies in -1..1.
    """

    moving: Tensor
    text: Tensor

    def __init__(
        self, aus: Sequence[int], text: Tensor, prototypes: Mapping[str, Sequence[Sequence[int]]]
    ) -> None:
        super().__init__()
        sets = [combination for combinations in prototypes.values() for combination in combinations]
        moving = torch.tensor([[float(au in combination) for au in aus] for combination in sets])
        self.counts = [len(combinations) for combinations in prototypes.values()]
        self.register_buffer("moving", moving)  # (P, N)
        self.register_buffer("text", nn.functional.normalize(text, dim=-1))  # (N, 2, D)

    def forward(self, features: Tensor) -> Tensor:  # (B, N, D)
        cosines = torch.einsum("bnd,nsd->bns", nn.functional.normalize(features, dim=-1), self.text)
        still, moves = cosines.unbind(-1)  # (B, N) each
        sums = moves @ self.moving.T + still @ (1 - self.moving).T  # (B, P)
        best = [part.amax(dim=1) for part in torch.split(sums, self.counts, dim=1)]
        return torch.stack(best, dim=1) / features.shape[1]  # (B, R)


def tokens_under(tokens: Tensor, landmarks: Tensor, table: Tensor, frame: int) -> Tensor:
    """The token under each landmark of each unit (Eq 1), (B, N, L, D).

    tokens     (B, h, w, D)
    landmarks  (B, K, 2) x, y in pixels of the square frame, clipped to it
    table      (N, L) which landmarks are each unit's
    """
    batch, h, w, width = tokens.shape
    row = (landmarks[..., 1] * (h / frame)).floor().long().clamp(0, h - 1)  # (B, K)
    column = (landmarks[..., 0] * (w / frame)).floor().long().clamp(0, w - 1)  # (B, K)
    index = (row * w + column)[:, table.flatten()]  # (B, N * L)
    flat = tokens.reshape(batch, h * w, width)  # (B, h * w, D)
    own = flat.gather(1, index[..., None].expand(-1, -1, width))  # (B, N * L, D)
    return own.view(batch, *table.shape, width)


def softmax_where(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis among the places of the mask, 0 elsewhere."""
    lowest = torch.finfo(scores.dtype).min  # half precision has no -1e9
    return scores.masked_fill(~mask, lowest).softmax(dim=-1) * mask


def _heads(units: int, width: int, out: int, hidden: int = 32) -> nn.Sequential:
    """One MLP per unit."""
    return nn.Sequential(Grouped(units, width, hidden), nn.ReLU(), Grouped(units, hidden, out))
