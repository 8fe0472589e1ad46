"""Figures 5 to 7: their numbers against plain loops, and that attention learns where a unit shows."""

import cv2
import numpy as np
import pytest
import torch
from tiny_paper import SIZES, tiny_paper

from microau.engine.errors import MicroauError
from microau.engine.landmarks import IBUG68
from microau.training.figures import (
    FacePanel,
    attention_figure,
    attention_map,
    embed,
    embedding_figure,
    similarity_figure,
    similarity_matrix,
)
from microau.training.figures.attention import overlay, token_attention, unit_points
from microau.training.paper import paper_layout, paper_loss, parameter_groups

GRID, CROP = (7, 7), 224


def ibug(layout, number: int) -> int:
    """Position of an iBUG landmark in the layout."""
    return layout.landmarks.index(int(IBUG68[number]))


def spread_out(layout) -> np.ndarray:
    """Landmarks (K, 2), each in the middle of a token of its own."""
    places = [((k % 6) * 32 + 16, (k // 6) * 32 + 16) for k in range(len(layout.landmarks))]
    return np.array(places, np.float32)


def test_heat_lies_on_the_token_of_the_landmark_that_is_attended():
    layout = paper_layout((1, 12))
    landmarks, attention = spread_out(layout), np.zeros((2, 6), np.float32)
    attention[1, 1] = 1.0
    place = landmarks[layout.tokens[1][1]]
    heat = attention_map(layout, attention, landmarks, [12], GRID, CROP)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert np.hypot(column + 0.5 - place[0], row + 0.5 - place[1]) < 1
    assert heat.max() == 1
    assert heat[0 if place[1] > 112 else 223, 0 if place[0] > 112 else 223] < 1e-3


def test_units_share_the_heat_and_filled_up_places_have_none():
    layout = paper_layout((1, 12))
    landmarks = spread_out(layout)
    attention = np.full((2, 6), 9.0, np.float32)  # nonsense where AU12 has no landmark
    attention[0] = [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]
    attention[1, :2] = [0.25, 0.75]
    share = token_attention(layout, attention, landmarks, [1, 12], GRID, CROP)
    assert share.sum() == pytest.approx(1)
    x, y = (landmarks[layout.tokens[1][1]] // 32).astype(int)
    assert share[y, x] == pytest.approx(0.75 / 2)


def test_landmarks_on_one_token_add_up():
    layout = paper_layout((12,))
    landmarks = np.array([[100.0, 100.0], [101.0, 101.0]], np.float32)
    share = token_attention(layout, np.array([[0.3, 0.7]]), landmarks, [12], GRID, CROP)
    assert share[3, 3] == pytest.approx(1)


def test_the_overlay_is_the_face_where_nothing_is_attended():
    crop = np.arange(224 * 224, dtype=np.uint32).reshape(224, 224).astype(np.uint8)
    heat = np.zeros((224, 224), np.float32)
    heat[:112] = 1
    shown = overlay(crop, heat)
    np.testing.assert_array_equal(shown[112:], np.repeat(crop[112:, :, None], 3, -1))
    assert (shown[:112].std(axis=-1) > 0).all()


def test_similarity_is_the_cosine_of_every_two_samples():
    features = np.random.default_rng(0).normal(size=(5, 7))
    matrix = similarity_matrix(features)
    for i in range(5):
        for j in range(5):
            a, b = features[i], features[j]
            assert matrix[i, j] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_two_groups_stay_two_groups_in_the_plane():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20)
    centres = rng.normal(size=(2, 16))
    features = (centres[labels] + rng.normal(scale=0.1, size=(40, 16))) * rng.uniform(0.1, 9, (40, 1))
    points = embed(features)
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    same = labels[:, None] == labels[None]
    nearest = np.where(np.eye(40, dtype=bool), np.inf, apart).argmin(axis=1)
    assert (labels[nearest] == labels).all()
    assert apart[same].mean() < apart[~same].mean() / 2
    np.testing.assert_array_equal(points, embed(features))
    with pytest.raises(MicroauError, match="5 samples at least, got 4"):
        embed(features[:4])


def test_the_pictures_are_written_and_the_same_each_time(tmp_path):
    layout = paper_layout((1, 12))
    landmarks = spread_out(layout)
    heat = attention_map(layout, np.full((2, 6), 1 / 6), landmarks, [1], GRID, CROP)
    crop = np.full((224, 224), 128, np.uint8)
    face = FacePanel(crop, heat, unit_points(layout, landmarks, [1]), "AU1")
    for k in range(2):
        folder = tmp_path / str(k)
        attention_figure(folder / "5.png", [face, face], "two faces")
        similarity_figure(folder / "6.png", {"a": np.eye(4), "b": -np.eye(4)}, [1, 0, 1, 0])
        embedding_figure(folder / "7.png", {"a": np.eye(6, 2)}, [0, 1, 0, 1, 0, 1])
    for name, panels in (("5.png", 2), ("6.png", 2), ("7.png", 1)):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()
        height, width = cv2.imread(str(tmp_path / "0" / name)).shape[:2]
        assert width == round(140 * 3.2 * panels)
        assert height > 400


def brow_problem(layout, samples: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Flow images in which AU1 shows at the inner brow alone and AU2 at the outer brow alone."""
    rng = np.random.default_rng(0)
    size, cell = SIZES.image, SIZES.patch
    labels = rng.integers(0, 2, (samples, 2))
    landmarks = spread_out(layout)
    image = rng.normal(0, 0.3, (samples, 3, size, size)).astype(np.float32)
    for n, shows in enumerate(((21, 22), (19, 24))):
        for number in shows:
            x, y = (landmarks[ibug(layout, number)] / 32).astype(int) * cell
            image[labels[:, n] == 1, 1, y : y + cell, x : x + cell] -= 1.5  # upwards
    points = torch.from_numpy(landmarks).expand(samples, -1, -1)
    return torch.from_numpy(image), points, torch.from_numpy(labels)


def test_attention_lands_on_the_landmarks_where_the_unit_moves():
    """As the paper wants of AU1: the inner brow's token matters, the outer one's does not."""
    model = tiny_paper((1, 2), seed=2, scale=5.0, trainable_layers=1)
    image, landmarks, labels = brow_problem(model.layout, 48)
    hidden = model.frozen(image)
    optimiser = torch.optim.SGD(parameter_groups(model, 0.01, 0.1), momentum=0.9)
    for _ in range(80):
        optimiser.zero_grad()
        paper_loss(model, model.from_frozen(hidden, landmarks), labels)["total"].backward()
        optimiser.step()
    with torch.no_grad():
        said = model.from_frozen(hidden, landmarks)
    assert (said.logits.argmax(-1) == labels).float().mean() > 0.95
    for n, shows in enumerate(((21, 22), (19, 24))):
        unit = list(model.layout.tokens[n])
        own = [unit.index(ibug(model.layout, number)) for number in shows]
        moving = said.attention[labels[:, n] == 1, n].mean(0)
        assert float(moving[own].sum()) > 0.75, moving  # of six landmarks, two have three quarters
