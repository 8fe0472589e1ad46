"""What layers that are not trained make of a sample, computed once and kept beside the prepared files.

    CACHE/frozen/<weights and settings>/<content of the pictures>.npy

A fold then trains the last layers alone. A file depends on its sample and on nothing else (each is
computed by itself), so a run that was stopped, another fold and another order all find the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .samples import Samples

Array = NDArray[np.float32]
Compute = Callable[[Array], Array]
"""One image (1, 3, S, S) -> its hidden states (1, ...)."""


def weights_key(weights: Mapping[str, Tensor], settings: object) -> str:
    """Sixteen hexadecimal digits for tensors by name, and whatever JSON the result depends on besides."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(weights.items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def frozen_files(
    samples: Samples, key: str, size: int, compute: Compute, say: Callable[[str], None] = lambda text: None
) -> list[Path]:
    """One file per sample, computed where it is missing.

    size  pixels of the flow image
    """
    paths = [file.parent / "frozen" / key / f"{file.stem}.npy" for file in samples.files]
    missing = [row for row, path in enumerate(paths) if not path.exists()]
    for done, row in enumerate(missing, 1):
        hidden = compute(samples.images([row], size))[0]
        _write(paths[row], hidden)
        if done % 50 == 0 or done == len(missing):
            say(f"frozen layers: {done}/{len(missing)} samples")
    return paths


def read_frozen(path: Path) -> Array:
    """Mapped into memory: several processes share one copy."""
    array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _write(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    partial.replace(path)
