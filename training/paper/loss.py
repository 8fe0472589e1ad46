"""The training loss of Micro-AU CLIP and its rivals (Eq 12; Tables III-V, VIII), each a setting."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..losses import contrastive, global_dependency, pairwise_contrastive, unit_cross_entropy
from ..model import Prediction
from ..prompts import overall
from .network import PaperModel
from .options import PaperOptions


def paper_loss(
    model: PaperModel,
    prediction: Prediction,
    labels: Tensor,
    options: PaperOptions | None = None,
    known: Tensor | None = None,
) -> dict[str, Tensor]:
    """Eq 12 and its terms: 'total', 'units', and 'contrast' and 'gd' before their weights, where they act.

    labels   (B, N) 0 or 1
    options  None: the model's own; others may differ in the weights and forms of the losses
    known    (B, N) bool; a label that is not known takes no part
    """
    options = options or model.options
    terms = {"units": unit_cross_entropy(prediction.logits, labels, known)}
    total = terms["units"]
    if options.contrast != "none" and options.alpha:
        terms["contrast"] = contrast(model, prediction, labels, options, known)
        total = total + options.alpha * terms["contrast"]
    if options.beta:
        gd = global_dependency(prediction.dependency, labels, normalise=options.gd_normalised)
        terms["gd"] = gd
        total = total + options.beta * gd
    return {"total": total} | terms


def contrast(
    model: PaperModel,
    prediction: Prediction,
    labels: Tensor,
    options: PaperOptions,
    known: Tensor | None = None,
) -> Tensor:
    """The contrastive loss of the setting, before its weight."""
    scale = model.log_scale.exp()
    if options.contrast == "global":
        texts = [overall(model.layout.aus, row) for row in labels.tolist()]
        return pairwise_contrastive(
            prediction.features.mean(dim=1), model.describe(texts), scale, symmetric=options.symmetric
        )
    return contrastive(
        prediction.features,
        model.text_features(),
        labels,
        scale,
        known,
        options.form,
        target="same" if options.contrast == "miaucl" else "own",
        symmetric=options.symmetric,
    )


def parameter_groups(
    model: PaperModel, tower_rate: float = 0.001, head_rate: float = 0.01
) -> list[dict[str, Any]]:
    """For an optimiser: what is trained of CLIP's towers (with its logit scale), and the rest.

    The rates are the paper's; it divides both by ten at epoch 40.
    """
    towers = [*model.visual.parameters(), *model.text.parameters(), model.log_scale]
    known = {id(parameter) for parameter in towers}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups = [
        {"name": "towers", "params": _trained(towers), "lr": tower_rate},
        {"name": "rest", "params": _trained(rest), "lr": head_rate},
    ]
    return [group for group in groups if group["params"]]


def _trained(parameters: list[torch.nn.Parameter]) -> list[torch.nn.Parameter]:
    return [parameter for parameter in parameters if parameter.requires_grad]
