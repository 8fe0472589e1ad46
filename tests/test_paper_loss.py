"""The paper's total loss (Eq 12), its rivals, and what training the text tower does to the sentences."""

import numpy as np
import pytest
import torch
from tiny_paper import AUS, paper_inputs, paper_labels, tiny_options, tiny_paper

from microau.training.paper import paper_loss, parameter_groups
from microau.training.paper.similarity import sentence_similarity
from microau.training.prompts import overall
from microau.training.towers.text import tokenize

B, N = 6, len(AUS)


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - x.max() - np.log(np.exp(x - x.max()).sum())


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def array(x: torch.Tensor) -> np.ndarray:
    return x.detach().double().numpy()


def clip_loss(matrix: np.ndarray, target: np.ndarray, symmetric: bool) -> float:
    """Mean over the rows of the cross-entropy with each row's ones, each in full; both directions."""
    one = lambda m, t: np.mean([-(t[i] * log_softmax(m[i])).sum() for i in range(len(m))])  # noqa: E731
    return (one(matrix, target) + one(matrix.T, target.T)) / 2 if symmetric else one(matrix, target)


def contrast_by_hand(model, said, labels, symmetric: bool) -> float:
    scale, kind = float(model.log_scale.exp().detach()), model.options.contrast
    features, truth = unit(array(said.features)), labels.numpy()
    if kind == "global":
        texts = model.describe([overall(AUS, row) for row in truth])
        matrix = scale * unit(array(said.features).mean(axis=1)) @ unit(array(texts)).T
        return clip_loss(matrix, np.eye(B), symmetric)
    text, total = unit(array(model.text_features())), 0.0
    for n in range(N):
        own = np.stack([text[n, truth[b, n]] for b in range(B)])
        same = np.array([[float(truth[i, n] == truth[j, n]) for j in range(B)] for i in range(B)])  # Eq 10
        total += clip_loss(
            scale * features[:, n] @ own.T, same if kind == "miaucl" else np.eye(B), symmetric
        )
    return total


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("contrast", ["miaucl", "local", "global"])
def test_the_total_is_equation_12(contrast, symmetric):
    model = tiny_paper(contrast=contrast, symmetric=symmetric, form="sum", alpha=0.4, beta=0.7, scale=5.0)
    labels = paper_labels(model, B)
    said = model(*paper_inputs(model, B))
    logits, w_d = array(said.logits), array(said.dependency)
    units = sum(-np.mean([log_softmax(logits[b, n])[labels[b, n]] for b in range(B)]) for n in range(N))
    gd = np.mean([((w_d[b] - labels[b].numpy()) ** 2).sum() / N for b in range(B)])  # Eq 8
    close = contrast_by_hand(model, said, labels, symmetric)
    got = {name: float(term.detach()) for name, term in paper_loss(model, said, labels).items()}
    wanted = {"units": units, "contrast": close, "gd": gd, "total": units + 0.4 * close + 0.7 * gd}
    assert got == pytest.approx(wanted, rel=1e-4)


def test_terms_without_weight_are_not_computed():
    model = tiny_paper(contrast="none", alpha=0.0, beta=0.0)
    losses = paper_loss(model, model(*paper_inputs(model, B)), paper_labels(model, B))
    assert losses.keys() == {"total", "units"}
    assert torch.equal(losses["total"], losses["units"])


def test_the_logit_scale_starts_where_it_is_told_and_learns_where_it_may():
    assert float(tiny_paper(scale=20.0).log_scale.exp().detach()) == pytest.approx(20, rel=0.1)
    assert tiny_paper().log_scale.requires_grad
    assert not tiny_paper(learn_scale=False).log_scale.requires_grad


@pytest.mark.parametrize(
    "settings", [{}, {"text": "fixed"}, {"contrast": "none", "alpha": 0.0}, {"branches": "gsd"}]
)
def test_every_parameter_that_learns_is_in_one_group(settings):
    model = tiny_paper(**settings)
    groups = parameter_groups(model, 0.001, 0.01)
    held = [id(p) for group in groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(p) for p in model.parameters() if p.requires_grad}
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    for name, p in model.named_parameters():
        if p.requires_grad:
            tower = name.startswith(("visual.", "text.", "log_scale"))
            assert rates[id(p)] == (0.001 if tower else 0.01), name


def train(text: str, steps: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Similarity of each unit's two sentences before and after a small problem that can be learned."""
    model = tiny_paper(text=text, scale=5.0, seed=3)
    image, landmarks = paper_inputs(model, 16)
    labels = paper_labels(model, 16)
    before, hidden = sentence_similarity(model).numpy(), model.frozen(image)
    optimiser = torch.optim.SGD(parameter_groups(model, 0.01, 0.1), momentum=0.9)
    for _ in range(steps):
        optimiser.zero_grad()
        paper_loss(model, model.from_frozen(hidden, landmarks), labels)["total"].backward()
        optimiser.step()
    return before, sentence_similarity(model).numpy()


def test_tuning_the_text_tower_drives_a_units_two_sentences_apart():
    """Table III of the paper: from .994 with the tower fixed to -.902 with the tower tuned."""
    before, after = train("tuned")
    assert before.mean() > 0.8
    assert after.mean() < -0.5
    before, after = train("fixed", steps=5)
    np.testing.assert_array_equal(before, after)


def test_similarity_is_the_cosine_of_the_two_sentences():
    model = tiny_paper()
    text = array(model.text_features())
    wanted = [
        text[n, 0] @ text[n, 1] / np.linalg.norm(text[n, 0]) / np.linalg.norm(text[n, 1]) for n in range(N)
    ]
    np.testing.assert_allclose(sentence_similarity(model), wanted, atol=1e-5)


def test_other_loss_weights_than_the_models_own():
    model = tiny_paper()
    said, labels = model(*paper_inputs(model, B)), paper_labels(model, B)
    other = paper_loss(model, said, labels, tiny_options(alpha=0.0, beta=0.0))
    assert torch.equal(other["total"], paper_loss(model, said, labels)["units"])


def test_texts_that_are_kept_are_what_they_were_alone():
    """Texts of different length, read together and again, with gradients, are what each is alone."""
    model = tiny_paper(contrast="global")
    texts = [overall(AUS, row) for row in ([0] * N, [1] * N, [0] * N)] + ["The chin is rising"]
    model.describe(texts[1:2])
    together = model.describe(texts)
    for text, feature in zip(texts, together, strict=True):
        tokens, ends = tokenize([text], 77)
        torch.testing.assert_close(feature[None], model.text.tuned(model.text.frozen(tokens), ends))
    together.sum().backward()
    assert model.text.blocks[-1].mlp.c_fc.weight.grad.abs().sum() > 0
    with torch.no_grad():
        model.text.positional_embedding.mul_(-2)
    model.read_sentences()
    assert not torch.allclose(model.describe(texts), together)


@pytest.mark.parametrize("settings", [{}, {"contrast": "global"}, {"form": "sigmoid"}, {"pooling": "max"}])
def test_half_precision_trains(settings):
    """Under autocast the loss is near that of single precision, and every gradient is finite."""
    model = tiny_paper(scale=5.0, **settings)
    image, landmarks = paper_inputs(model, B)
    labels = paper_labels(model, B)
    exact = paper_loss(model, model(image, landmarks), labels)["total"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = paper_loss(model, model(image, landmarks), labels)["total"]
    assert float(rough.detach()) == pytest.approx(float(exact.detach()), rel=0.05)
    rough.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
