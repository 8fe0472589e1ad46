"""Micro-AU CLIP and its ablations (`training.paper`), trained as printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....engine.facial_flow import RUNTIME
from ...calibration import Calibration
from ...checkpoint import Trained, save
from ...emotion import class_table
from ...paper import (
    PaperModel,
    PaperOptions,
    emotion_of,
    paper_layout,
    paper_loss,
    paper_model,
    parameter_groups,
)
from ...paper.checkpoint import paper_flow
from ...paper.similarity import sentence_similarity
from ..frozen import frozen_files, read_frozen, weights_key
from ..learner import Say
from ..network import Feed, Losses, NetworkLearner
from ..samples import Rows, Samples


class PaperLearner(NetworkLearner):
    """Hidden states in front of the trained layers, and landmarks, in; Eq 12 and Eq 13 out."""

    name = "paper"
    Settings = PaperOptions

    def build(self, samples: Samples) -> PaperModel:
        return paper_model(self.settings, paper_layout(samples.units), self.recipe.seed)

    def warm(self, samples: Samples, say: Say) -> None:
        if self.recipe.frozen_cache:
            model = self.build(samples).to(self.recipe.device).eval()
            torch.set_num_threads(self.recipe.threads)
            self._files(model, samples, say)

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        return parameter_groups(_paper(model), self.recipe.tower_rate, self.recipe.head_rate)

    def feed(self, model: nn.Module, samples: Samples) -> Feed:
        """(B, 1 + h * w, W) hidden states, (B, K, 2) landmarks."""
        net, device = _paper(model), self.recipe.device
        points = _points(samples, net)
        if not self.recipe.frozen_cache:
            images = samples.images(range(len(samples)), self.settings.sizes.image)

            def compute(rows: Rows) -> tuple[Tensor, ...]:
                hidden = net.frozen(torch.from_numpy(images[rows]).to(device))
                return hidden, torch.from_numpy(points[rows]).to(device)

            return compute
        files = self._files(net, samples)

        def give(rows: Rows) -> tuple[Tensor, ...]:
            hidden = np.stack([read_frozen(files[row]) for row in rows])
            return torch.from_numpy(hidden).to(device), torch.from_numpy(points[rows]).to(device)

        return give

    def loss(self, model: nn.Module, inputs: Sequence[Tensor], labels: Tensor, known: Tensor) -> Losses:
        net = _paper(model)
        return paper_loss(net, net.from_frozen(*inputs), labels, self.settings, known)

    def say(self, model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, list[str]]:
        net = _paper(model)
        said = net.from_frozen(*inputs)
        classes = class_table("three", "", net.layout.aus)
        names = list(classes)
        best = emotion_of(net, said, classes).argmax(dim=1).tolist() if names else []
        return said.logits.float().softmax(dim=-1)[..., 1], [names[k] for k in best] or [""] * len(
            inputs[0]
        )

    def notes(self, model: nn.Module) -> dict[str, float]:
        return {"sentence_similarity": float(sentence_similarity(_paper(model)).mean())}

    def write_checkpoint(
        self, model: nn.Module, folder: Path, calibration: Calibration, card: Mapping[str, Any]
    ) -> None:
        net = _paper(model).cpu().eval()
        net.read_sentences()
        save(Trained(net, self.settings.sizes, calibration, paper_flow(self.settings), card), folder)

    def _files(self, model: PaperModel, samples: Samples, say: Say = lambda text: None) -> list[Any]:
        frozen = {n: p for n, p in model.visual.named_parameters() if not p.requires_grad}
        about = {"flow": RUNTIME.to_json(), "picture": self.settings.picture}
        key = weights_key(frozen, about | {"layers": self.settings.trainable_layers})

        def compute(image: NDArray[np.float32]) -> NDArray[np.float32]:
            hidden = model.frozen(torch.from_numpy(image).to(self.recipe.device))
            return np.asarray(hidden.float().cpu().numpy(), np.float32)

        return frozen_files(samples, key, self.settings.sizes.image, compute, say)


def _paper(model: nn.Module) -> PaperModel:
    if not isinstance(model, PaperModel):
        raise TypeError(f"a {type(model).__name__} is not the paper's model")
    return model


def _points(samples: Samples, model: PaperModel) -> NDArray[np.float32]:
    """(S, K, 2) landmarks of the layout on the apex, crop pixels."""
    wanted = list(model.layout.landmarks)
    points = [samples.arrays(row).apex_points[wanted, :2] for row in range(len(samples))]
    return np.stack(points).astype(np.float32)
