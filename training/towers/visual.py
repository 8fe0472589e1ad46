"""CLIP's vision transformer (Radford et al. 2021), split before its last layers.

Letters: B batch, S image size, h x w token grid, W width of the tower, D width of the shared space.
The frozen part depends on the image alone, so it is computed once per sample and kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .weights import OneKernel, freeze


class VisualTower(OneKernel):
    """Normalised image -> hidden states -> class token and patch tokens.

    visual      open_clip's VisionTransformer
    layers      how many of the last layers are trained
    tune_final  train the last normalisation and the projection, too
    """

    def __init__(self, visual: Any, layers: int, *, tune_final: bool = False) -> None:
        super().__init__()
        self.grid: tuple[int, int] = tuple(visual.grid_size)
        """h, w."""
        self.conv1: nn.Conv2d = visual.conv1
        self.class_embedding: nn.Parameter = visual.class_embedding
        self.positional_embedding: nn.Parameter = visual.positional_embedding
        self.ln_pre: nn.LayerNorm = visual.ln_pre
        self.blocks: nn.ModuleList = visual.transformer.resblocks
        self.ln_post: nn.LayerNorm = visual.ln_post
        self.proj: nn.Parameter = visual.proj
        self.split = len(self.blocks) - layers
        self.train()
        freeze(self, self.blocks[self.split :], *((self.ln_post, self.proj) if tune_final else ()))

    @torch.no_grad()
    def frozen(self, image: Tensor) -> Tensor:  # (B, 3, S, S)
        """What enters the first trained layer, class token first; no gradient."""
        patches = self.conv1(image).flatten(2).transpose(1, 2)  # (B, h * w, W)
        first = self.class_embedding.expand(image.shape[0], 1, -1).to(patches.dtype)  # (B, 1, W)
        embedded = torch.cat([first, patches], dim=1) + self.positional_embedding.to(patches.dtype)
        x: Tensor = self.ln_pre(embedded)  # (B, 1 + h * w, W)
        for block in self.blocks[: self.split]:
            x = block(x)
        return x  # (B, 1 + h * w, W)

    def tuned(self, hidden: Tensor) -> Tensor:  # (B, 1 + h * w, W)
        """The trained layers and the last normalisation; still in the tower's own width."""
        x = hidden
        for block in self.blocks[self.split :]:
            x = block(x)
        normal: Tensor = self.ln_post(x)
        return normal  # (B, 1 + h * w, W)

    def shared(self, x: Tensor) -> Tensor:  # (..., W)
        """Into the space of the texts, (..., D)."""
        return x @ self.proj
