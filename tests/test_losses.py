"""Each equation of the paper's losses against a plain loop in NumPy."""

import math

import numpy as np
import pytest
import torch

from microau.training.losses import contrastive, global_dependency, unit_cross_entropy

B, N, D = 6, 3, 5


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def labels(rng) -> np.ndarray:
    return rng.integers(0, 2, (B, N))


def softmax_row(row: np.ndarray) -> np.ndarray:
    e = np.exp(row - row.max())
    return e / e.sum()


def test_cross_entropy_is_summed_over_units_and_averaged_over_samples(rng, labels):
    logits = rng.normal(size=(B, N, 2))
    wanted = sum(
        -np.mean([math.log(softmax_row(logits[b, n])[labels[b, n]]) for b in range(B)]) for n in range(N)
    )
    got = unit_cross_entropy(torch.tensor(logits), torch.tensor(labels))
    assert float(got) == pytest.approx(wanted)


def test_what_is_not_known_has_no_gradient(rng, labels):
    known = torch.ones(B, N, dtype=torch.bool)
    known[2, 1] = False
    logits = torch.tensor(rng.normal(size=(B, N, 2)), requires_grad=True)
    unit_cross_entropy(logits, torch.tensor(labels), known).backward()
    assert float(logits.grad[2, 1].abs().sum()) == 0
    assert float(logits.grad[2, 0].abs().sum()) > 0


def miaucl_by_hand(features, text, labels, scale, form) -> float:
    """Eq 9-11, one number at a time."""

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    total = 0.0
    for n in range(N):
        m = np.array([[cosine(features[i, n], text[n, labels[j, n]]) for j in range(B)] for i in range(B)])
        lm = np.array([[float(labels[i, n] == labels[j, n]) for j in range(B)] for i in range(B)])
        if form == "sigmoid":
            p = 1 / (1 + np.exp(-scale * m))
            total += -np.mean(lm * np.log(p) + (1 - lm) * np.log(1 - p))
            continue
        for matrix, target in ((m, lm), (m.T, lm.T)):
            share = target / target.sum(axis=1, keepdims=True) if form == "softmax" else target
            rows = [-(share[i] * np.log(softmax_row(scale * matrix[i]))).sum() for i in range(B)]
            total += np.mean(rows) / 2
    return total


@pytest.mark.parametrize("form", ["softmax", "sum", "sigmoid"])
def test_miaucl_is_the_equation(rng, labels, form):
    features, text = rng.normal(size=(B, N, D)), rng.normal(size=(N, 2, D))
    got = contrastive(
        torch.tensor(features), torch.tensor(text), torch.tensor(labels), torch.tensor(7.0), form=form
    )
    assert float(got) == pytest.approx(miaucl_by_hand(features, text, labels, 7.0, form))


def test_the_sum_is_torchs_own_cross_entropy_with_the_label_matrix(rng, labels):
    features, text = rng.normal(size=(B, N, D)), rng.normal(size=(N, 2, D))
    truth, scale, wanted = torch.tensor(labels), torch.tensor(3.0), 0.0
    for n in range(N):
        rows = torch.nn.functional.normalize(torch.tensor(features[:, n]), dim=-1)
        own = torch.nn.functional.normalize(torch.tensor(text[n, labels[:, n]]), dim=-1)
        same = (truth[:, n, None] == truth[:, n]).double()
        wanted += float(torch.nn.functional.cross_entropy(scale * rows @ own.T, same))
    got = contrastive(torch.tensor(features), torch.tensor(text), truth, scale, form="sum", symmetric=False)
    assert float(got) == pytest.approx(wanted)


def test_sharing_the_target_is_no_different_from_the_diagonal(rng, labels):
    """A unit has two sentences, so the texts of one state are one point: the paper's rival with the label
    matrix of CLIP (local OrigCL) is MiAUCL itself, value and gradient, unless every one counts in full."""
    text, truth, scale = torch.tensor(rng.normal(size=(N, 2, D))), torch.tensor(labels), torch.tensor(4.0)
    found = {}
    for form in ("softmax", "sum", "sigmoid"):
        for target in ("same", "own"):
            features = torch.tensor(np.random.default_rng(1).normal(size=(B, N, D)), requires_grad=True)
            loss = contrastive(features, text, truth, scale, form=form, target=target)
            loss.backward()
            found[form, target] = torch.cat([loss.detach()[None], features.grad.flatten()])
    torch.testing.assert_close(found["softmax", "same"], found["softmax", "own"])
    for form in ("sum", "sigmoid"):
        assert not torch.allclose(found[form, "same"], found[form, "own"], rtol=0.05)


@pytest.mark.parametrize("form", ["softmax", "sum", "sigmoid"])
def test_miaucl_without_a_sample_is_miaucl_of_the_others(rng, labels, form):
    features, text = torch.tensor(rng.normal(size=(B, 1, D))), torch.tensor(rng.normal(size=(1, 2, D)))
    truth, known = torch.tensor(labels[:, :1]), torch.ones(B, 1, dtype=torch.bool)
    known[4] = False
    rest = [0, 1, 2, 3, 5]
    scale = torch.tensor(5.0)
    masked = contrastive(features, text, truth, scale, known, form)
    assert float(masked) == pytest.approx(
        float(contrastive(features[rest], text, truth[rest], scale, form=form))
    )


def test_miaucl_prefers_features_that_lie_on_their_own_sentence(labels):
    text = torch.eye(2)[None].repeat(N, 1, 1)  # (N, 2, 2)
    truth = torch.tensor(labels)
    own = torch.nn.functional.one_hot(truth, 2).float()
    scale = torch.tensor(10.0)
    assert contrastive(own, text, truth, scale) < contrastive(1 - own, text, truth, scale) - 1


def test_miaucl_has_finite_gradients_where_a_unit_is_never_known(rng, labels):
    features = torch.tensor(rng.normal(size=(B, N, D)), requires_grad=True)
    known = torch.ones(B, N, dtype=torch.bool)
    known[:, 0] = False
    loss = contrastive(
        features, torch.tensor(rng.normal(size=(N, 2, D))), torch.tensor(labels), torch.tensor(5.0), known
    )
    loss.backward()
    assert torch.isfinite(features.grad).all()
    assert float(features.grad[:, 0].abs().sum()) == 0


@pytest.mark.parametrize("normalise", [False, True])
def test_gd_loss_is_the_equation(rng, labels, normalise):
    weights = np.stack([softmax_row(rng.normal(size=N)) for _ in range(B)])
    target = labels / np.maximum(labels.sum(1, keepdims=True), 1) if normalise else labels
    wanted = np.mean([((weights[b] - target[b]) ** 2).sum() / N for b in range(B)])
    got = global_dependency(torch.tensor(weights), torch.tensor(labels), normalise=normalise)
    assert float(got) == pytest.approx(wanted)
