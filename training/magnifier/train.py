"""Train the magnifier: L1 to the truth, and codes that do not mix texture with shape.

Killed at any moment and started again, it goes on to the same weights: a scene depends on the seed
and its number alone, and the state of the optimiser is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...engine.errors import MicroauError
from .network import Magnifier
from .scenes import Pixels, Scene, SceneConfig, draw_scene


@dataclass(frozen=True, slots=True)
class MagnifierRecipe:
    """Everything that decides the weights, apart from the pictures."""

    seed: int = 1
    steps: int = 20000
    batch: int = 8
    rate: float = 1e-4
    """Of Adam, as in the paper."""
    regular: float = 0.1
    """Weight of the losses on the codes, as in the paper."""
    every: int = 500
    """Steps between two checkpoints."""
    scene: SceneConfig = field(default_factory=SceneConfig)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.every) < 1 or self.rate <= 0:
            raise MicroauError(f"{self}: steps, batch and every from 1 on, and a rate above 0, are needed")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of training."""

    number: int
    """From 1."""
    loss: float
    """Total."""
    picture: float
    """L1 to the truth alone, in half the range of the picture."""


def train(
    recipe: MagnifierRecipe, out: Path, pictures: Sequence[Pixels] = (), device: str = "cpu"
) -> Iterator[Step]:
    """Train, and yield every step; `out` is written at each checkpoint and at the end.

    A checkpoint beside `out` (`<out>.state`) is continued; MicroauError where it is of another recipe.
    """
    torch.manual_seed(recipe.seed)
    model = Magnifier().to(device)
    optimiser = torch.optim.Adam(model.parameters(), recipe.rate)
    state = out.with_name(f"{out.name}.state")
    first = _resume(state, recipe, model, optimiser) if state.exists() else 1
    for number in range(first, recipe.steps + 1):
        scenes = [_scene(recipe, number, k, pictures) for k in range(recipe.batch)]
        loss, picture = losses(model, scenes, recipe.regular)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if number % recipe.every == 0 or number == recipe.steps:
            _keep(state, recipe, number, model, optimiser)
            save(model, out, recipe, number)
        yield Step(number, loss.item(), picture.item())


def _scene(recipe: MagnifierRecipe, step: int, place: int, pictures: Sequence[Pixels]) -> Scene:
    return draw_scene(np.random.default_rng((recipe.seed, step, place)), recipe.scene, pictures)


def losses(model: Magnifier, scenes: Sequence[Scene], regular: float) -> tuple[Tensor, Tensor]:
    """Total loss, and the L1 distance between prediction and truth.

    Texture must not change with motion (a and b), nor shape with colour (b and c, truth and its other
    colours).
    """
    device = next(model.parameters()).device
    a, b, c, truth, truth_c = (
        _stack(scenes, name).to(device) for name in ("a", "b", "c", "truth", "truth_c")
    )
    alpha = torch.tensor([scene.alpha for scene in scenes], dtype=torch.float32, device=device)
    of_a, of_b, of_c = model.encoder(a), model.encoder(b), model.encoder(c)
    of_truth, of_truth_c = model.encoder(truth), model.encoder(truth_c)
    distance = torch.nn.functional.l1_loss
    picture = distance(model.magnify(of_a, of_b, alpha), truth)
    codes = distance(of_a.texture, of_b.texture) + distance(of_b.shape, of_c.shape)
    codes = codes + distance(of_truth.shape, of_truth_c.shape) + distance(of_c.texture, of_truth_c.texture)
    return picture + regular * codes, picture


def _stack(scenes: Sequence[Scene], name: str) -> Tensor:
    return torch.from_numpy(np.stack([getattr(scene, name) for scene in scenes]))


def save(model: Magnifier, path: Path, recipe: MagnifierRecipe, step: int) -> None:
    """The weights as safetensors, with how they were made."""
    about = {"recipe": json.dumps(asdict(recipe)), "step": str(step)}
    partial = path.with_name(f"{path.name}.partial")
    save_file({name: t.cpu().contiguous() for name, t in model.state_dict().items()}, partial, about)
    partial.replace(path)


def _keep(
    path: Path, recipe: MagnifierRecipe, step: int, model: Magnifier, optimiser: torch.optim.Adam
) -> None:
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for place, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{place}.{name}": tensor for name, tensor in moments.items()}
    partial = path.with_name(f"{path.name}.partial")
    about = {"recipe": json.dumps(asdict(recipe)), "step": str(step)}
    save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, partial, about)
    partial.replace(path)


def _resume(path: Path, recipe: MagnifierRecipe, model: Magnifier, optimiser: torch.optim.Adam) -> int:
    """Restore model and optimiser; the number of the next step. More steps may be asked than before."""
    with safe_open(path, framework="pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no iterator
    before = json.loads(about["recipe"])
    if before | {"steps": 0, "every": 0} != asdict(recipe) | {"steps": 0, "every": 0}:
        raise MicroauError(f"{path}: is of another recipe. Remove it, or give --out another name")
    model.load_state_dict({name[6:]: t for name, t in tensors.items() if name.startswith("model.")})
    kept = optimiser.state_dict()
    for name, tensor in tensors.items():
        if name.startswith("adam."):
            _, place, moment = name.split(".")
            kept["state"].setdefault(int(place), {})[moment] = tensor
    optimiser.load_state_dict(kept)
    return int(about["step"]) + 1
