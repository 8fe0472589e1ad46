"""The paper's model on towers of three small layers: the same code, seconds instead of minutes."""

from __future__ import annotations

from typing import Any

import torch

from microau.training.paper import (
    CASME2_UNITS,
    ClipSizes,
    PaperModel,
    PaperOptions,
    paper_layout,
    paper_model,
)

SIZES = ClipSizes(
    image=56, patch=8, width=16, visual_width=24, visual_layers=3, visual_heads=2,
    text_width=16, text_layers=3, text_heads=2,
)  # fmt: skip
AUS = CASME2_UNITS


def tiny_options(**settings: Any) -> PaperOptions:
    small = {"trainable_layers": 2, "pta_width": 8, "head_width": 8}
    return PaperOptions(pretrained="random", sizes=SIZES, **(small | settings))


def tiny_paper(aus: tuple[int, ...] = AUS, seed: int = 1, **settings: Any) -> PaperModel:
    """Random weights; biases, which start at zero, are moved: no test passes for want of them."""
    model = paper_model(tiny_options(**settings), paper_layout(aus), seed)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw) * 0.02)
    model.read_sentences()
    return model


def paper_inputs(model: PaperModel, batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow images and landmarks at random."""
    draw = torch.Generator().manual_seed(seed)
    size, count = model.options.sizes.image, len(model.layout.landmarks)
    image = torch.randn((batch, 3, size, size), generator=draw)
    return image, torch.rand((batch, count, 2), generator=draw) * model.frame


def paper_labels(model: PaperModel, batch: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed + 100)
    return torch.randint(0, 2, (batch, len(model.layout.aus)), generator=draw)
