"""A small untrained model of the default's structure, for tests of everything but quality."""

from __future__ import annotations

import numpy as np
import torch

from microau.engine.facial_flow import RUNTIME
from microau.training.calibration import Calibration
from microau.training.checkpoint import Trained
from microau.training.layout import Layout
from microau.training.model import CompactSizes, MicroAuClip, compact_model

AUS = (4, 12, 17, 25)
SIZES = CompactSizes(stem=4, width=8, blocks=1, kernel=3, text_width=8, text_heads=2)


def tiny_model(aus: tuple[int, ...] = AUS, seed: int = 0) -> MicroAuClip:
    """Random weights, none of them zero, normalisation with statistics of its own."""
    torch.manual_seed(seed)
    model = compact_model(Layout.of(aus), SIZES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.train()
    model(*tiny_inputs(model, 8))
    return model.eval()


def tiny_trained() -> Trained:
    n = len(AUS)
    calibration = Calibration((1.5,) * n, (0.5,) * n, (0.7,) * n, (3.0,) * n, 0.01)
    return Trained(tiny_model(), SIZES, calibration, RUNTIME, {"licence": "Apache-2.0"})


def tiny_inputs(model: MicroAuClip, batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow images and landmarks at random."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 1, (batch, 3, SIZES.image, SIZES.image)).astype(np.float32)
    landmarks = rng.uniform(0, 224, (batch, len(model.layout.landmarks), 2)).astype(np.float32)
    return torch.from_numpy(image), torch.from_numpy(landmarks)
