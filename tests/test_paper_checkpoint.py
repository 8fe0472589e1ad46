"""The paper's model on disk and as a bundle that the runtime opens."""

import json

import cv2
import numpy as np
import pytest
import torch
from tiny_paper import paper_inputs, tiny_paper

from microau.engine.chain import open_chain
from microau.engine.facial_flow import facial_flow
from microau.engine.flow_image import flow_image
from microau.engine.inference import INPUTS, OUTPUTS, open_engine
from microau.export.bundle import Deployed, write_bundle
from microau.training.calibration import Calibration
from microau.training.checkpoint import RECORD, Trained, load, save
from microau.training.paper import PaperModel, PaperOptions
from microau.training.paper.checkpoint import paper_flow


def trained(**settings) -> Trained:
    model = tiny_paper(**settings)
    n = len(model.layout.aus)
    calibration = Calibration((1.5,) * n, (0.5,) * n, (1.0,) * n, (100.0,) * n)
    return Trained(model, model.options.sizes, calibration, paper_flow(model.options), {"licence": "none"})


def test_the_flow_image_has_the_size_that_clip_takes():
    assert paper_flow(PaperOptions()).size == 224


@pytest.mark.parametrize(
    "settings", [{}, {"branches": "gsd", "contrast": "global"}, {"fusion": "cat", "beta": 0.0}]
)
def test_what_is_loaded_is_what_was_saved(settings, tmp_path):
    kept = trained(**settings)
    save(kept, tmp_path)
    back = load(tmp_path)
    assert isinstance(back.model, PaperModel)
    assert (back.sizes, back.calibration, back.flow) == (kept.sizes, kept.calibration, kept.flow)
    assert back.model.options == kept.model.options
    assert back.model.layout == kept.model.layout
    inputs = paper_inputs(kept.model, 3)
    with torch.no_grad():
        for a, b in zip(kept.model(*inputs), back.model(*inputs), strict=True):
            assert torch.equal(a, b)
        assert torch.equal(kept.model.text_features(), back.model.text_features())
    learns = lambda model: {n for n, p in model.named_parameters() if p.requires_grad}  # noqa: E731
    assert learns(back.model) == learns(kept.model)


def test_the_record_is_plain_json(tmp_path):
    save(trained(), tmp_path)
    record = json.loads((tmp_path / RECORD).read_text())
    assert record["paper"]["options"]["pretrained"] == "random"
    assert record["aus"] == [1, 2, 4, 7, 12, 14, 15, 17]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A checkpoint, its bundle and where that lies."""
    kept, path = trained(), tmp_path_factory.mktemp("paper") / "paper.onnx"
    return kept, write_bundle(kept, path, "paper"), path


def test_a_bundle_of_the_papers_model_gives_what_torch_gives(exported):
    kept, bundle, path = exported
    assert bundle.grid == (7, 7)
    assert [unit.au for unit in bundle.units] == [1, 2, 4, 7, 12, 14, 15, 17]
    image, landmarks = paper_inputs(kept.model, 4)
    inputs = dict(zip(INPUTS, (image.numpy(), landmarks.numpy()), strict=True))
    with torch.no_grad():
        wanted = dict(zip(OUTPUTS, Deployed(kept)(image, landmarks), strict=True))
    with open_engine(path) as engine:
        got = engine(inputs)
    for name in OUTPUTS:
        np.testing.assert_allclose(got[name], wanted[name], atol=2e-5, err_msg=name)
    np.testing.assert_allclose(
        got["side_probability"], got["probability"][..., None].repeat(2, -1), atol=1e-6
    )


def test_the_runtime_makes_the_image_in_the_models_size(exported):
    """From two crops to probabilities, and the same from a flow image that is made here."""
    kept, bundle, path = exported
    rng = np.random.default_rng(0)
    onset, apex = (
        cv2.GaussianBlur(rng.integers(0, 256, (224, 224), np.uint8), (0, 0), 3) for _ in range(2)
    )
    points = rng.uniform(60, 160, (478, 3)).astype(np.float32)
    chain = open_chain(path)
    try:
        got = chain({"onset": onset[None], "apex": apex[None], "points": points[None]})
    finally:
        chain.close()
    image = flow_image(facial_flow(onset, apex, points), kept.flow)
    assert image.shape == (3, 56, 56)
    landmarks = points[None, list(bundle.landmarks), :2]
    with torch.no_grad():
        wanted, *_ = Deployed(kept)(torch.from_numpy(image[None]), torch.from_numpy(landmarks))
    np.testing.assert_allclose(got["probability"], wanted, atol=2e-5)


def test_the_bundle_holds_no_text_tower(exported):
    """The sentences are read once, when the bundle is written."""
    words = 49408 * 16 * 4
    assert exported[2].stat().st_size < words / 4
