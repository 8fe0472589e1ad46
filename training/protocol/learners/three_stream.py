"""Shallow three-stream network on u, v and strain (STSTNet: Liong et al., FG 2019), for units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ....engine.errors import MicroauError
from ..samples import Samples
from .picture import PictureLearner, seeded


@dataclass(frozen=True, slots=True)
class ThreeStreamSettings:
    """Its defaults are the published ones."""

    size: int = 28
    """Pixels of the flow image."""
    channels: tuple[int, ...] = (3, 5, 8)
    """Filters of the three streams."""
    dropout: float = 0.0
    """In front of the last layer; the published network has none."""

    def __post_init__(self) -> None:
        if self.size < 12 or not self.channels:
            raise MicroauError(f"three-stream: size {self.size}; give at least 12, and a stream")


class ThreeStream(nn.Module):
    """Flow image (B, 3, S, S) -> log-odds (B, N): streams of 3, 5 and 8 filters, side by side."""

    def __init__(self, units: int, settings: ThreeStreamSettings) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(3, n, 3, padding=2), nn.BatchNorm2d(n), nn.ReLU(), nn.MaxPool2d(3, 3, 1)
            )
            for n in settings.channels
        )
        self.pool = nn.AvgPool2d(2, 2)
        side = ((settings.size + 2 + 2 - 3) // 3 + 1) // 2
        self.drop = nn.Dropout(settings.dropout)
        self.head = nn.Linear(sum(settings.channels) * side**2, units)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.cat([stream(image) for stream in self.streams], dim=1)  # (B, 16, S / 3, S / 3)
        odds: Tensor = self.head(self.drop(self.pool(x).flatten(1)))
        return odds  # (B, N)


class ThreeStreamLearner(PictureLearner):
    """Small enough for any machine."""

    name = "three-stream"
    Settings = ThreeStreamSettings

    def build(self, samples: Samples) -> nn.Module:
        return seeded(self.recipe.seed, ThreeStream, len(samples.units), self.settings)
