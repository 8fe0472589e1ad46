"""The losses of Micro-AU CLIP (Wei et al., arXiv 2603.16302), equations 8 to 12.

Letters: B batch, N action units, D feature width. Labels are 0 still, 1 moving; a label whose
`known` is False (a movement too small to be called either) takes no part.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as nnf
from torch import Tensor

ContrastiveForm = Literal["softmax", "sigmoid"]


def unit_cross_entropy(logits: Tensor, labels: Tensor, known: Tensor | None = None) -> Tensor:
    """Sum over the units of the mean cross-entropy of each (first term of Eq 12).

    logits  (B, N, 2)
    labels  (B, N) 0 or 1
    known   (B, N) bool
    """
    losses = nnf.cross_entropy(logits.transpose(1, 2), labels.long(), reduction="none")  # (B, N)
    return _mean_of_known(losses, known).sum()


def contrastive(
    features: Tensor,
    text: Tensor,
    labels: Tensor,
    scale: Tensor,
    known: Tensor | None = None,
    form: ContrastiveForm = "softmax",
) -> Tensor:
    """MiAUCL (Eq 9-11): each unit's visual features against the sentences of its own states.

    features  (B, N, D) final visual features F_n
    text      (N, 2, D) features of the negative and the positive sentence
    labels    (B, N) 0 or 1
    scale     ()     learned logit scale, already exponentiated
    known     (B, N) bool
    form      how a row with several ones enters the cross-entropy, which the paper leaves open:
              'softmax' shares the target among them and takes the mean of both directions, as CLIP
              does; 'sigmoid' is a binary cross-entropy of every pair
    """
    units = labels.shape[1]
    known = torch.ones_like(labels, dtype=torch.bool) if known is None else known
    own = text[torch.arange(units, device=text.device), labels.long()]  # (B, N, D) sentence of the state
    similarity = torch.einsum(
        "bnd,cnd->nbc", nnf.normalize(features, dim=-1), nnf.normalize(own, dim=-1)
    )  # (N, B, B) Eq 9, M_n
    same = (labels.T[:, :, None] == labels.T[:, None, :]).to(similarity.dtype)  # (N, B, B) Eq 10, LM_n
    pairs = known.T[:, :, None] & known.T[:, None, :]  # (N, B, B)
    if form == "sigmoid":
        losses = nnf.binary_cross_entropy_with_logits(similarity * scale, same, reduction="none")
        return (losses * pairs).sum((1, 2)).div(pairs.sum((1, 2)).clamp(min=1)).sum()
    logits = (similarity * scale).masked_fill(~pairs, -torch.inf)
    both = _soft_cross_entropy(logits, same * pairs, known.T) + _soft_cross_entropy(
        logits.transpose(1, 2), same * pairs, known.T
    )
    return both.sum() / 2  # Eq 11, summed over the units


def global_dependency(weights: Tensor, labels: Tensor, *, normalise: bool = False) -> Tensor:
    """GD loss (Eq 8): the dependency weights shall name the units that move, mean over the batch.

    weights    (B, N) W_d, sums to 1
    labels     (B, N) 0 or 1
    normalise  compare with labels that sum to 1 as well, instead of 0/1 as printed
    """
    target = labels.to(weights.dtype)
    if normalise:
        target = target / target.sum(dim=1, keepdim=True).clamp(min=1)
    return (weights - target).square().sum(dim=1).mean() / labels.shape[1]


def _soft_cross_entropy(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Per unit: mean over its known rows of the cross-entropy with the row's ones as one distribution.

    logits  (N, B, B), -inf where a pair takes no part; target (N, B, B); known (N, B)
    """
    share = target / target.sum(dim=2, keepdim=True).clamp(min=1)
    rows = torch.where(known[:, :, None], logits, torch.zeros_like(logits))  # no row of -inf alone
    log_p = nnf.log_softmax(rows, dim=2)
    losses = -torch.where(share > 0, share * log_p, torch.zeros_like(log_p)).sum(dim=2)  # (N, B)
    return _mean_of_known(losses.T, known.T)


def _mean_of_known(losses: Tensor, known: Tensor | None) -> Tensor:
    """(B, N) -> (N,)."""
    if known is None:
        return losses.mean(dim=0)
    return (losses * known).sum(dim=0) / known.sum(dim=0).clamp(min=1)
