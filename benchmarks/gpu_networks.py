"""The networks whose speed `gpu_models.py` measures: the sizes that count, random weights, torch alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

PAPER_AUS = (1, 2, 4, 7, 12, 14, 15, 17)


class Attention(nn.Module):
    """Multi-head self-attention by torch's fused kernel."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, D)
        batch, tokens, width = x.shape
        split = self.into(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*split.unbind(0))  # (B, heads, T, D / heads)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return out


class QuickGelu(nn.Module):
    """The activation of OpenAI's CLIP."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Layer(nn.Module):
    """One transformer block, norms first."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), QuickGelu(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class VitB32(nn.Module):
    """CLIP's ViT-B/32 at 224: the size of the paper's visual tower, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes = {"flow": (3, 224, 224)}
        width, heads, layers, patch = 768, 12, 12, 32
        self.patches = nn.Linear(3 * patch * patch, width, bias=False)
        self.first = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.place = nn.Parameter(torch.randn(1, 50, width) * 0.02)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.layers = nn.Sequential(*(Layer(width, heads) for _ in range(layers)))
        self.project = nn.Linear(width, 512, bias=False)

    def forward(self, flow: Tensor) -> Tensor:  # (B, 3, 224, 224)
        # One product, as the torch back end has it: as a convolution it is over a quarter of the tower.
        squares = flow.to(self.place.dtype).unflatten(3, (7, 32)).unflatten(2, (7, 32))
        patches = self.patches(squares.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2))  # (B, 49, 768)
        x = torch.cat([self.first.expand(flow.shape[0], -1, -1), patches], 1) + self.place  # (B, 50, 768)
        tokens: Tensor = self.project(self.after(self.layers(self.before(x))))
        return tokens  # (B, 50, 512)


class Paper(nn.Module):
    """Micro-AU CLIP as published, whole: tower, patch token attention, global dependency attention and a
    head for each of eight units (`training/paper/network.py`, which needs open_clip), random weights.
    """

    def __init__(self) -> None:
        super().__init__()
        from microau.engine.registration import CROP
        from microau.training.layout import Layout
        from microau.training.model import GlobalDependencyAttention, Grouped

        layout = Layout.of(PAPER_AUS)
        units, width, self.frame = len(layout.aus), 512, CROP
        self.tower = VitB32()
        self.shapes = self.tower.shapes | {"landmarks": (len(layout.landmarks), 2)}
        table = torch.from_numpy(layout.table())  # (N, L)
        self.register_buffer("table", table.clamp(min=0), persistent=False)
        self.register_buffer("mask", table >= 0, persistent=False)
        self.attend = nn.Sequential(Grouped(units, width, 128), nn.ReLU(), Grouped(units, 128, 1))
        self.depend = GlobalDependencyAttention(units, width)
        self.heads = nn.Sequential(Grouped(units, width, 256), nn.ReLU(), Grouped(units, 256, 2))

    def forward(self, flow: Tensor, landmarks: Tensor) -> tuple[Tensor, ...]:
        from microau.training.model import softmax_where, tokens_under

        tokens = self.tower(flow)[:, 1:].unflatten(1, (7, 7))  # (B, 7, 7, D)
        own = tokens_under(tokens, landmarks, self.table, self.frame)  # (B, N, L, D) Eq 1
        weights = softmax_where(self.attend(own)[..., 0], self.mask)  # (B, N, L) Eq 2
        local = (weights[..., None] * own).sum(2)  # (B, N, D) Eq 3
        together, dependency = self.depend(local)  # Eq 4-6
        features = together + local  # (B, N, D)
        return self.heads(features), features, weights, dependency  # Eq 7


class Default(nn.Module):
    """The default model's structure and sizes, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        from microau.training.layout import DEFAULT_AUS, Layout
        from microau.training.model import CompactSizes, compact_model

        sizes = CompactSizes()
        self.model = compact_model(Layout.of(DEFAULT_AUS), sizes)
        self.shapes = {
            "flow": (3, sizes.image, sizes.image),
            "landmarks": (len(self.model.layout.landmarks), 2),
        }

    def forward(self, flow: Tensor, landmarks: Tensor) -> tuple[Tensor, ...]:
        # Landmarks stay in single precision: in half they would choose the wrong token.
        kind = next(self.model.parameters()).dtype
        return tuple(self.model(flow.to(kind), landmarks))


MODELS: dict[str, Callable[[], Any]] = {"default": Default, "paper": Paper, "vit-b-32": VitB32}
