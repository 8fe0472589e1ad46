"""What the baselines that look at the flow image share: its tensors, their loss, their answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from ..network import Feed, Losses, NetworkLearner
from ..samples import Rows, Samples


class PictureLearner(NetworkLearner):
    """A network from the flow image to one log-odds per unit."""

    @property
    def size(self) -> int:
        """Pixels of the flow image, width and height."""
        return int(self.settings.size)

    def feed(self, model: nn.Module, samples: Samples) -> Feed:
        images = torch.from_numpy(samples.images(range(len(samples)), self.size))  # (S, 3, size, size)

        def give(rows: Rows) -> tuple[Tensor, ...]:
            return (images[torch.from_numpy(rows)].to(self.recipe.device),)

        return give

    def loss(self, model: nn.Module, inputs: Sequence[Tensor], labels: Tensor, known: Tensor) -> Losses:
        odds: Tensor = model(*inputs)  # (B, N)
        losses = nnf.binary_cross_entropy_with_logits(odds.float(), labels.float(), reduction="none")
        return {"total": (losses * known).sum() / known.sum().clamp(min=1)}

    def say(self, model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, list[str]]:
        odds: Tensor = model(*inputs)
        return odds.float().sigmoid(), [""] * len(odds)


def seeded(seed: int, make: type[nn.Module], *arguments: Any) -> nn.Module:
    """A module whose weights are drawn from that seed, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(*arguments)
