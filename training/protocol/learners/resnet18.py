"""ResNet-18 on the flow image: the rival [27] of the paper's Table IX (He et al., CVPR 2016).

Written out here, since torchvision's build for CUDA cannot be imported beside torch for CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ....engine.errors import MicroauError
from ..samples import Samples
from .picture import PictureLearner, seeded


@dataclass(frozen=True, slots=True)
class ResNet18Settings:
    """Its only sizes."""

    size: int = 224
    """Pixels of the flow image."""
    width: int = 64
    """Channels of the first stage; 64 is ResNet-18."""

    def __post_init__(self) -> None:
        if self.size < 32 or self.width < 1:
            raise MicroauError(f"resnet18: size {self.size} and width {self.width}; give at least 32 and 1")


class BasicBlock(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:  # (B, C, h, w)
        y = self.first_norm(self.first(x)).relu()
        y = self.second_norm(self.second(y))
        out: Tensor = (y + self.shortcut(x)).relu()
        return out  # (B, C', h / stride, w / stride)


class ResNet18(nn.Module):
    """Flow image (B, 3, S, S) -> log-odds (B, N)."""

    def __init__(self, units: int, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    BasicBlock(widths[k], widths[k + 1], 1 if k == 0 else 2),
                    BasicBlock(widths[k + 1], widths[k + 1], 1),
                )
                for k in range(4)
            )
        )
        self.head = nn.Linear(8 * width, units)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        x = self.stages(self.stem(image))  # (B, 8 C, S / 32, S / 32)
        odds: Tensor = self.head(x.mean(dim=(2, 3)))
        return odds  # (B, N)


class ResNet18Learner(PictureLearner):
    """From random weights: ImageNet's cannot be assumed at hand."""

    name = "resnet18"
    Settings = ResNet18Settings

    def build(self, samples: Samples) -> nn.Module:
        return seeded(self.recipe.seed, ResNet18, len(samples.units), self.settings.width)
