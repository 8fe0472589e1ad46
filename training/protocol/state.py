"""A training that can be stopped at any moment: everything that its next step depends on, in one file.

One safetensors file, replaced in one step, so that a process killed while it writes leaves the file of
the epoch before. Tensors: what is trained and the buffers of the model, the optimiser's memory, the
generators. Everything else is JSON in the file's header. The order of the samples needs no state: it is
drawn from the seed and the number of the epoch.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

Tensors = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Progress:
    """What goes on beside the weights."""

    epoch: int
    """Epochs that are done."""
    notes: dict[str, Any]
    """Curve and whatever else is JSON."""
    arrays: Tensors
    """Whatever else is an array."""


def learned(model: nn.Module) -> Tensors:
    """What training changes: trained parameters, and the buffers that a checkpoint keeps."""
    state = model.state_dict(keep_vars=True)
    return {
        name: tensor.detach()
        for name, tensor in state.items()
        if tensor.requires_grad or not isinstance(tensor, nn.Parameter)
    }


def put_back(model: nn.Module, tensors: Tensors) -> None:
    """The way back, in place."""
    target = learned(model)
    if set(target) != set(tensors):
        raise ValueError(f"weights of another model: {sorted(set(target) ^ set(tensors))[:3]}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            target[name].copy_(tensor)


def save_state(
    path: Path,
    progress: Progress,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    scaler: dict[str, Any],
) -> None:
    """Replace the file of the epoch before."""
    memory, groups = _split(optimiser.state_dict())
    tensors = {f"model/{name}": tensor for name, tensor in learned(model).items()}
    tensors |= {f"optimiser/{name}": tensor for name, tensor in memory.items()}
    tensors |= {f"random/{name}": tensor for name, tensor in _generators().items()}
    tensors |= {f"array/{name}": tensor for name, tensor in progress.arrays.items()}
    about = {"epoch": progress.epoch, "notes": progress.notes, "optimiser": groups, "scaler": scaler}
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(whole, partial, metadata={"about": json.dumps(about)})
    partial.replace(path)


def load_state(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Any]]:
    """Put everything back in place; what goes on beside it, and the state of the gradient scaler."""
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["about"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no iterator
    put_back(model, _under(tensors, "model/"))
    optimiser.load_state_dict(_joined(_under(tensors, "optimiser/"), about["optimiser"]))
    _set_generators(_under(tensors, "random/"))
    return Progress(about["epoch"], about["notes"], _under(tensors, "array/")), about["scaler"]


def _under(tensors: Tensors, start: str) -> Tensors:
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _split(state: dict[str, Any]) -> tuple[Tensors, dict[str, Any]]:
    """An optimiser's state as tensors by name, and the rest as JSON."""
    rows = [(f"{key}/{name}", value) for key, row in state["state"].items() for name, value in row.items()]
    tensors = {name: value for name, value in rows if isinstance(value, Tensor)}
    plain = {name: value for name, value in rows if not isinstance(value, Tensor)}
    return tensors, {"plain": plain, "groups": state["param_groups"]}


def _joined(tensors: Tensors, rest: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {}
    for place, value in {**tensors, **rest["plain"]}.items():
        key, _, name = place.partition("/")
        state.setdefault(int(key), {})[name] = value
    return {"state": state, "param_groups": rest["groups"]}


def _generators() -> Tensors:
    found = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        found |= {f"cuda{k}": state for k, state in enumerate(torch.cuda.get_rng_state_all())}
    return found


def _set_generators(states: Tensors) -> None:
    torch.set_rng_state(states["cpu"])
    for name, state in states.items():
        if name.startswith("cuda"):
            torch.cuda.set_rng_state(state, int(name.removeprefix("cuda")))
