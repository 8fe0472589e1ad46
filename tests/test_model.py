"""Micro-AU CLIP against its equations, written again in NumPy, and the properties they promise."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny import AUS, SIZES, tiny_inputs, tiny_model

from microau.engine.aus import UNITS
from microau.engine.landmarks import CANONICAL
from microau.training.emotion import prototypes
from microau.training.fit import opposite
from microau.training.layout import DEFAULT_AUS, Layout
from microau.training.model import CompactTower, EmotionByText
from microau.training.prompts import PHRASES, sentence, tokenize, vocabulary


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def predict(model, image, landmarks):
    with torch.no_grad():
        return model(image, landmarks)


def grouped(layer, x: np.ndarray) -> np.ndarray:
    """(N, D) through one linear map per unit."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    return np.stack([x[n] @ weight[n] + bias[n] for n in range(len(x))])


def test_the_forward_pass_is_the_papers_equations(model):
    """Eq 1-7 for one sample, unit by unit and landmark by landmark."""
    image, landmarks = tiny_inputs(model, 1, seed=3)
    said = predict(model, image, landmarks)
    with torch.no_grad():
        tokens = model.visual(image)[0].numpy()  # (h, w, D)
    layout, points = model.layout, landmarks[0].numpy()
    local = []
    for n, unit in enumerate(layout.tokens):
        own = np.stack([tokens[int(points[k, 1] * 28 // 224), int(points[k, 0] * 28 // 224)] for k in unit])
        first, _, second = model.pta.mlp
        hidden = np.maximum(own @ first.weight[n].detach().numpy() + first.bias[n].detach().numpy(), 0)
        score = hidden @ second.weight[n].detach().numpy()[:, 0] + second.bias[n].detach().numpy()
        score += model.pta.prior[n, : len(unit)].detach().numpy()
        weights = softmax(score)
        np.testing.assert_allclose(said.attention[0, n, : len(unit)], weights, atol=1e-5)
        local.append(weights @ own)
    f = np.stack(local)
    q, k, v = (f @ getattr(model.gda, name).weight.detach().numpy().T for name in ("query", "key", "value"))
    a = softmax(q @ k.T / np.sqrt(SIZES.width))
    fc = model.gda.fc
    w_d = softmax(np.maximum(fc.weight.detach().numpy() @ a.ravel() + fc.bias.detach().numpy(), 0))
    np.testing.assert_allclose(said.dependency[0], w_d, atol=1e-5)
    final = f + w_d @ v
    np.testing.assert_allclose(said.features[0], final, atol=1e-4)
    logits = grouped(model.heads[2], np.maximum(grouped(model.heads[0], final), 0))
    np.testing.assert_allclose(said.logits[0], logits, atol=1e-4)


def test_attention_is_a_share_among_the_units_own_landmarks(model):
    said = predict(model, *tiny_inputs(model, 4))
    table = model.layout.table()
    np.testing.assert_allclose(said.attention.sum(-1), 1, atol=1e-5)
    assert float(said.attention[:, table < 0].abs().max()) == 0
    np.testing.assert_allclose(said.dependency.sum(-1), 1, atol=1e-5)


def test_landmarks_of_no_unit_change_nothing_of_it(model):
    """Local independence: what a unit does not look at cannot change its own attention."""
    image, landmarks = tiny_inputs(model, 2)
    n = model.layout.aus.index(17)
    others = sorted(set(range(len(model.layout.landmarks))) - set(model.layout.tokens[n]))
    moved = landmarks.clone()
    moved[:, others] = 224 - moved[:, others]
    before, after = predict(model, image, landmarks), predict(model, image, moved)
    torch.testing.assert_close(before.attention[:, n], after.attention[:, n])
    assert not torch.allclose(before.attention, after.attention)


def test_landmarks_outside_the_crop_take_the_border_token(model):
    image, landmarks = tiny_inputs(model, 2)
    far = landmarks.clone()
    landmarks[:, 0], far[:, 0] = torch.tensor([223.9, 0.0]), torch.tensor([900.0, -50.0])
    torch.testing.assert_close(predict(model, image, landmarks).logits, predict(model, image, far).logits)


def test_the_batch_is_no_more_than_its_rows(model):
    image, landmarks = tiny_inputs(model, 3)
    whole = predict(model, image, landmarks)
    for i in range(3):
        row = predict(model, image[i : i + 1], landmarks[i : i + 1])
        for together, alone in zip(whole, row, strict=True):
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_each_side_looks_at_its_own_half():
    """Without the global feature, moving the right half's landmarks leaves the left side as it was."""
    model = tiny_model()
    torch.nn.init.zeros_(model.gda.value.weight)
    n = model.layout.aus.index(12)
    image, landmarks = tiny_inputs(model, 1)
    moved = landmarks.clone()
    moved[:, list(model.layout.right[n])] = 112
    before, after = predict(model, image, landmarks), predict(model, image, moved)
    torch.testing.assert_close(before.side_logits[:, n, 0], after.side_logits[:, n, 0])
    assert not torch.allclose(before.side_logits[:, n, 1], after.side_logits[:, n, 1])


def test_every_landmark_has_its_opposite():
    layout = Layout.of(DEFAULT_AUS)
    other = opposite(layout)
    np.testing.assert_array_equal(other[other], np.arange(len(other)))
    points = np.asarray(CANONICAL)[list(layout.landmarks)]
    np.testing.assert_allclose(points[other] * (-1, 1, 1), points, atol=0.3)


def test_units_lie_on_their_own_half():
    x = np.asarray(CANONICAL)[:, 0]
    for unit in UNITS.values():
        assert all(x[point] < 0 for point in unit.right), unit
        assert all(x[point] > 0 for point in unit.left), unit
        assert all(abs(x[point]) < 0.05 for point in unit.middle), unit


def test_emotion_is_the_best_prototypes_mean_cosine(model):
    rng = np.random.default_rng(0)
    features, text = rng.normal(size=(5, len(AUS), 8)), rng.normal(size=(len(AUS), 2, 8))
    table = prototypes(AUS)
    emotion = EmotionByText(AUS, torch.tensor(text, dtype=torch.float32), table)
    got = emotion(torch.tensor(features, dtype=torch.float32)).numpy()
    for b in range(5):
        for r, sets in enumerate(table.values()):
            sums = [
                np.mean(
                    [
                        features[b, n] @ (t := text[n, int(au in combination)])
                        / np.linalg.norm(features[b, n]) / np.linalg.norm(t)
                        for n, au in enumerate(AUS)
                    ]
                )
                for combination in sets
            ]  # fmt: skip
            assert got[b, r] == pytest.approx(max(sums), abs=1e-5)


def test_features_on_their_sentences_give_the_class_of_the_table():
    """Ideal features: each unit's feature is the very sentence of its state."""
    text = torch.eye(2)[None].repeat(len(DEFAULT_AUS), 1, 1)
    table = prototypes(DEFAULT_AUS)
    emotion, names = EmotionByText(DEFAULT_AUS, text, table), list(table)
    for name, moving in [("positive", {6, 12}), ("surprise", {1, 2}), ("negative", {4}), ("other", set())]:
        states = torch.tensor([int(au in moving) for au in DEFAULT_AUS])
        features = text[torch.arange(len(DEFAULT_AUS)), states][None]
        assert names[int(emotion(features).argmax())] == name


def test_sentences_are_all_different_and_all_their_words_are_known():
    sides = {au: ("", "L", "R") if phrase.one else ("",) for au, phrase in PHRASES.items()}
    told = [sentence(au, moves=m, side=s) for au, of in sides.items() for s in of for m in (True, False)]
    assert len(set(told)) == len(told)
    numbers = tokenize(told, vocabulary())
    assert len({tuple(row) for row in numbers.tolist()}) == len(told)


def test_filling_up_a_sentence_changes_nothing(model):
    words = vocabulary()
    short = torch.from_numpy(tokenize(["The chin is rising"], words))
    long = torch.nn.functional.pad(short, (0, 5))
    with torch.no_grad():
        torch.testing.assert_close(model.text(short), model.text(long))


def test_the_tower_refuses_a_grid_that_does_not_fit():
    with pytest.raises(ValueError, match="halves twice"):
        CompactTower(dataclasses.replace(SIZES, grid=14))
