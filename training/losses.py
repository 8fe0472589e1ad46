"""The losses of Micro-AU CLIP (Wei et al., arXiv 2603.16302), equations 8 to 12.

Letters: B batch, N action units, D feature width. Labels are 0 still, 1 moving; a label whose
`known` is False (a movement too small to be called either) takes no part.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as nnf
from torch import Tensor

ContrastiveForm = Literal["softmax", "sum", "sigmoid"]
ContrastiveTarget = Literal["same", "own"]


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
    *,
    target: ContrastiveTarget = "same",
    symmetric: bool = True,
) -> Tensor:
    """MiAUCL (Eq 9-11): each unit's visual features against the sentences of its own states.

    features  (B, N, D) final visual features F_n
    text      (N, 2, D) features of the negative and the positive sentence
    labels    (B, N) 0 or 1
    scale     ()     learned logit scale, already exponentiated
    known     (B, N) bool
    form      how a row with several ones enters the cross-entropy, which the paper leaves open:
              'softmax' shares the target among them; 'sum' counts each of them in full, as torch's own
              cross-entropy does with the label matrix as it is; 'sigmoid' is a binary cross-entropy of
              every pair. A unit has but two sentences, so all texts of one state are one point, and
              'softmax' with the target 'same' is then exactly 'softmax' with the target 'own'
    target    'same': samples of the same state match (Eq 10); 'own': each sample matches its own text
              alone, the diagonal of CLIP (local OrigCL of Table VIII)
    symmetric of softmax: the mean of both directions, as CLIP does, or image to text alone
    """
    units = labels.shape[1]
    known = torch.ones_like(labels, dtype=torch.bool) if known is None else known
    own = text[torch.arange(units, device=text.device), labels.long()]  # (B, N, D) sentence of the state
    similarity = torch.einsum(
        "bnd,cnd->nbc", nnf.normalize(features, dim=-1), nnf.normalize(own, dim=-1)
    )  # (N, B, B) Eq 9, M_n
    same = _label_matrix(labels, target).to(similarity.dtype)  # (N, B, B) LM_n
    pairs = known.T[:, :, None] & known.T[:, None, :]  # (N, B, B)
    if form == "sigmoid":
        losses = nnf.binary_cross_entropy_with_logits(similarity * scale, same, reduction="none")
        return (losses * pairs).sum((1, 2)).div(pairs.sum((1, 2)).clamp(min=1)).sum()
    logits = (similarity * scale).masked_fill(~pairs, -torch.inf)
    ones = same * pairs  # (N, B, B)
    if form == "softmax":
        ones = ones / ones.sum(dim=2, keepdim=True).clamp(min=1)
    loss = _soft_cross_entropy(logits, ones, known.T)  # (N,)
    if symmetric:
        loss = (loss + _soft_cross_entropy(logits.transpose(1, 2), ones, known.T)) / 2
    return loss.sum()  # Eq 11, summed over the units


def pairwise_contrastive(
    features: Tensor, text: Tensor, scale: Tensor, *, symmetric: bool = True
) -> Tensor:
    """CLIP's loss: each sample against its own text among those of the batch (global OrigCL, Table VIII).

    features  (B, D)
    text      (B, D)
    scale     () learned logit scale, already exponentiated
    """
    logits = scale * nnf.normalize(features, dim=-1) @ nnf.normalize(text, dim=-1).T  # (B, B)
    own = torch.arange(len(logits), device=logits.device)
    loss = nnf.cross_entropy(logits, own)
    return (loss + nnf.cross_entropy(logits.T, own)) / 2 if symmetric else loss


def global_dependency(
    weights: Tensor, labels: Tensor, known: Tensor | None = None, *, normalise: bool = False
) -> Tensor:
    """GD loss (Eq 8): the dependency weights shall name the units that move, mean over the batch.

    weights    (B, N) W_d, sums to 1
    labels     (B, N) 0 or 1
    known      (B, N) bool; the others count for nothing. None: all
    normalise  compare with labels that sum to 1 as well, instead of 0/1 as printed
    """
    target = labels.to(weights.dtype)
    if normalise:
        target = target / target.sum(dim=1, keepdim=True).clamp(min=1)
    errors = (weights - target).square()
    if known is not None:
        errors = errors * known
    return errors.sum(dim=1).mean() / labels.shape[1]


def _label_matrix(labels: Tensor, target: ContrastiveTarget) -> Tensor:
    """Which pairs of samples match, (N, B, B) bool."""
    if target == "own":
        return torch.eye(len(labels), dtype=torch.bool, device=labels.device).expand(
            labels.shape[1], -1, -1
        )
    return labels.T[:, :, None] == labels.T[:, None, :]  # Eq 10


def _soft_cross_entropy(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Per unit: mean over its known rows of the cross-entropy with the row of targets.

    logits  (N, B, B), -inf where a pair takes no part; target (N, B, B); known (N, B)
    """
    rows = torch.where(known[:, :, None], logits, torch.zeros_like(logits))  # no row of -inf alone
    log_p = nnf.log_softmax(rows, dim=2)
    losses = -torch.where(target > 0, target * log_p, torch.zeros_like(log_p)).sum(dim=2)  # (N, B)
    return _mean_of_known(losses.T, known.T)


def _mean_of_known(losses: Tensor, known: Tensor | None) -> Tensor:
    """(B, N) -> (N,)."""
    if known is None:
        return losses.mean(dim=0)
    return (losses * known).sum(dim=0) / known.sum(dim=0).clamp(min=1)
