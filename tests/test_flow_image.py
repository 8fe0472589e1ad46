"""The model's picture of motion: physical units, no rescaling by its own maximum, one direction."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microau.engine.errors import MicroauError
from microau.engine.flow_image import FlowSpec, flow_image, optical_strain, percent_flow, soft_limit

SPEC = FlowSpec()


def constant(x: float, y: float) -> np.ndarray:
    return np.broadcast_to(np.array([x, y], np.float32), (SPEC.crop, SPEC.crop, 2)).copy()


def linear(matrix: list[list[float]]) -> np.ndarray:
    """Flow that grows linearly: its gradient is `matrix` everywhere."""
    y, x = np.mgrid[: SPEC.crop, : SPEC.crop].astype(np.float32)
    return np.stack([x, y], axis=-1) @ np.array(matrix, np.float32).T


def test_one_percent_of_the_eye_distance_is_the_same_number_whatever_else_moves():
    quiet, loud = constant(1.12, 0), constant(1.12, 0)
    loud[100:, 100:] = 20
    np.testing.assert_allclose(
        flow_image(quiet, SPEC)[:2, 5, 5], flow_image(loud, SPEC)[:2, 5, 5], atol=1e-6
    )
    np.testing.assert_allclose(flow_image(quiet, SPEC)[:2, 5, 5], [np.arcsinh(1 / SPEC.unit), 0], atol=1e-6)


def test_noise_looks_small():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.05, (SPEC.crop, SPEC.crop, 2)).astype(np.float32)
    assert np.abs(flow_image(noise, SPEC)[:2]).max() < 0.1


@given(st.floats(0.01, 40), st.floats(-np.pi, np.pi), st.floats(1.05, 3))
def test_the_soft_limit_keeps_direction_and_order(length, angle, factor):
    vector = length * np.array([np.cos(angle), np.sin(angle)])
    small, large = soft_limit(vector), soft_limit(vector * factor)
    np.testing.assert_allclose(small / np.hypot(*small), vector / length, atol=1e-6)
    assert np.hypot(*small) < np.hypot(*large) <= factor * np.hypot(*small) + 1e-9


def test_micro_motion_stays_nearly_linear():
    assert soft_limit(np.array([0.5, 0.0]))[0] == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
    ("gradient", "strain"),
    [
        ([[0.02, 0], [0, 0]], 0.02),
        ([[0, 0], [0, -0.03]], 0.03),
        ([[0.02, 0], [0, 0.02]], np.sqrt(2) * 0.02),
        ([[0, 0.02], [0.02, 0]], np.sqrt(2) * 0.02),
        ([[0, -0.02], [0.02, 0]], 0.0),
    ],
    ids=["stretch", "squeeze", "growth", "shear", "turn"],
)
def test_strain_of_a_known_field(gradient, strain):
    percent = percent_flow(linear(gradient), SPEC)
    measured = optical_strain(percent, SPEC)[2:-2, 2:-2]
    np.testing.assert_allclose(measured, strain, atol=1e-4)


def test_a_spec_survives_json():
    spec = FlowSpec(parameters={"levels": 4, "huber": 0.01})
    assert FlowSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize("field", [entry.name for entry in dataclasses.fields(FlowSpec)])
def test_every_difference_is_refused_by_name(field):
    other = {
        "crop": 200, "crop_oed": 100.0, "eye_row": 60.0, "algorithm": "dis", "parameters": {"levels": 9},
        "rigid": "none", "channels": ("u", "v", "length"), "size": 64, "unit": 1.0, "strain_unit": 0.1,
        "limit": "tanh",
    }  # fmt: skip
    changed = dataclasses.replace(SPEC, **{field: other[field]})
    with pytest.raises(MicroauError, match=rf"^m\.onnx: trained on flow with {field} "):
        changed.require(SPEC, "m.onnx")
    SPEC.require(SPEC, "m.onnx")


@pytest.mark.parametrize("change", [{"blur": 1}, None])
def test_unknown_or_missing_keys_are_refused(change):
    record = SPEC.to_json()
    if change is None:
        del record["unit"]
    else:
        record |= change
    with pytest.raises(MicroauError, match="flow specification"):
        FlowSpec.from_json(record)
