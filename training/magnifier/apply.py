"""Use trained weights: a crop whose motion is made larger."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...engine.errors import MicroauError
from ...engine.records import Gray
from .network import Magnifier


class LearnedMagnifier:
    """Onset and apex (H, W) uint8, sides multiples of four -> the apex with `factor` times the motion."""

    def __init__(self, weights: str | Path, factor: float, device: str = "cpu") -> None:
        self._model = load_magnifier(Path(weights)).to(device).eval()
        self._alpha = torch.tensor([factor - 1], dtype=torch.float32, device=device)

    def __call__(self, onset: Gray, apex: Gray) -> Gray:
        with torch.no_grad():
            moved = self._model(self._tensor(onset), self._tensor(apex), self._alpha)
        rgb = ((moved[0].clamp(-1, 1) + 1) * 127.5).permute(1, 2, 0).cpu().numpy()
        return np.asarray(np.rint(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)), np.uint8)

    def _tensor(self, picture: Gray) -> Tensor:
        rgb = np.repeat(picture[None, None].astype(np.float32), 3, axis=1) / 127.5 - 1  # (1, 3, H, W)
        return torch.from_numpy(rgb).to(self._alpha.device)


def load_magnifier(path: Path) -> Magnifier:
    """Weights from this project's training (.safetensors) or the PyTorch ones that circulate (.pth).

    A .pth is read with PyTorch's restricted loader, which holds tensors alone and runs no code.
    """
    model = Magnifier()
    state = {name.removeprefix("module."): tensor for name, tensor in _read(path).items()}
    wanted = model.state_dict()
    odd = sorted(state.keys() ^ wanted.keys()) or [n for n in wanted if state[n].shape != wanted[n].shape]
    if odd:
        raise MicroauError(
            f"{path}: no weights of this network: {odd[0]} is missing, unknown or of another shape"
        )
    model.load_state_dict(state)
    return model


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise MicroauError(
            f"{path}: no such weights. Train some: microau-data train-magnifier --out {path}"
        )
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise MicroauError(f"{path}: no readable weights: {str(error).splitlines()[0]}") from None
    if not isinstance(state, Mapping):
        raise MicroauError(f"{path}: holds {type(state).__name__}, where tensors by name are needed")
    return dict(state)
