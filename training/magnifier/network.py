"""The network of Oh et al., "Learning-based video motion magnification" (ECCV 2018).

    encoder      picture -> texture V (quarter size) and shape M (half size)
    manipulator  M_b + h(alpha g(M_b - M_a)): the difference of shapes, amplified
    decoder      texture of b, manipulated shape -> picture

Motion grows by 1 + alpha; alpha 0 gives picture b again. Names of parts and layers are those of the
PyTorch weights that circulate (ZhengPeng7/motion_magnification_learning-based), so that they load.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

CHANNELS = 3
WIDTH = 32


class Code(NamedTuple):
    """What the encoder makes of a picture (B, 3, H, W)."""

    texture: Tensor  # (B, 32, H/4, W/4)
    shape: Tensor  # (B, 32, H/2, W/2)


class Conv(nn.Module):
    """Convolution without bias, border mirrored, ReLU unless told otherwise."""

    def __init__(self, inside: int, outside: int, size: int, stride: int = 1, relu: bool = True):
        super().__init__()
        self.pad = nn.ReflectionPad2d(size // 2)
        self.conv2d = nn.Conv2d(inside, outside, size, stride, bias=False)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2d(self.pad(x))
        return torch.relu(y) if self.relu else y


class Block(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int, middle: int):
        super().__init__()
        self.cba_1 = Conv(width, middle, 3)
        self.cba_2 = Conv(middle, width, 3, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.cba_2(self.cba_1(x))
        return x + y


def blocks(count: int, width: int) -> nn.Sequential:
    """Some blocks in a row."""
    return nn.Sequential(*(Block(width, width) for _ in range(count)))


class Encoder(nn.Module):
    """Picture -> texture and shape."""

    def __init__(self) -> None:
        super().__init__()
        self.cba_1 = Conv(CHANNELS, 16, 7)
        self.cba_2 = Conv(16, WIDTH, 3, stride=2)
        self.resblks = blocks(3, WIDTH)
        self.texture_cba = Conv(WIDTH, WIDTH, 3, stride=2)
        self.texture_resblks = blocks(2, WIDTH)
        self.motion_cba = Conv(WIDTH, WIDTH, 3)
        self.motion_resblks = blocks(2, WIDTH)

    def forward(self, picture: Tensor) -> Code:
        x = self.resblks(self.cba_2(self.cba_1(picture)))  # (B, 32, H/2, W/2)
        texture = self.texture_resblks(self.texture_cba(x))  # (B, 32, H/4, W/4)
        return Code(texture, self.motion_resblks(self.motion_cba(x)))


class Manipulator(nn.Module):
    """Amplifies the difference of two shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.g = Conv(WIDTH, WIDTH, 3)
        self.h_conv = Conv(WIDTH, WIDTH, 3, relu=False)
        self.h_resblk = Block(WIDTH, WIDTH)

    def forward(self, a: Tensor, b: Tensor, alpha: Tensor) -> Tensor:
        grown: Tensor = self.h_resblk(self.h_conv(self.g(b - a) * alpha))
        return b + grown


class Decoder(nn.Module):
    """Texture and shape -> picture."""

    def __init__(self) -> None:
        super().__init__()
        self.resblks = blocks(9, 2 * WIDTH)
        self.cba_1 = Conv(2 * WIDTH, WIDTH, 3)
        self.cba_2 = Conv(WIDTH, CHANNELS, 7, relu=False)

    def forward(self, texture: Tensor, shape: Tensor) -> Tensor:
        texture = nn.functional.interpolate(texture, scale_factor=2, mode="nearest")  # (B, 32, H/2, W/2)
        x = self.resblks(torch.cat([texture, shape], dim=1))  # (B, 64, H/2, W/2)
        x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")  # (B, 64, H, W)
        picture: Tensor = self.cba_2(self.cba_1(x))
        return picture


class Magnifier(nn.Module):
    """Two pictures (B, 3, H, W) in -1..1 and alpha (B,) -> the second one, moved further.

    H and W are multiples of four.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.manipulator = Manipulator()
        self.decoder = Decoder()

    def forward(self, a: Tensor, b: Tensor, alpha: Tensor) -> Tensor:
        return self.magnify(self.encoder(a), self.encoder(b), alpha)

    def magnify(self, a: Code, b: Code, alpha: Tensor) -> Tensor:
        """The same from pictures that are encoded already."""
        shape = self.manipulator(a.shape, b.shape, alpha[:, None, None, None])
        picture: Tensor = self.decoder(b.texture, shape)
        return picture
