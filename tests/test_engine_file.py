"""The card beside an engine: what it records comes back, and what does not fit is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from microau.engine.engine_file import (
    BuildOptions,
    EngineCard,
    EngineRefused,
    Machine,
    card_path,
    check_fit,
    onnx_beside,
    read_card,
    read_plan,
    sha256,
    write_card,
)
from microau.engine.errors import MicroauError
from microau.engine.trt_flavour import version_tuple

PLAN = Path("a.plan")
H200 = Machine("10.12.0.36", "NVIDIA H200", (9, 0))
L4 = Machine("1.7.1.116", "NVIDIA L4", (8, 9))
TUNED = EngineCard("e", "m.onnx", "o", "10.12.0.36", "NVIDIA H200", "9.0", BuildOptions(), {})
PORTABLE = EngineCard("e", "m.onnx", "o", "1.7.1.116", "", "", BuildOptions("rtx"), {})


def tuned(**options: object) -> EngineCard:
    """Built by TensorRT on an H200."""
    return replace(TUNED, options=replace(TUNED.options, **options))


def portable(**options: object) -> EngineCard:
    """Built by TensorRT-RTX without a GPU."""
    return replace(PORTABLE, options=replace(PORTABLE.options, **options))


def test_the_card_comes_back_as_it_was(tmp_path):
    plan = tmp_path / "a.plan"
    options = BuildOptions("rtx", "fp8", (2, 4, 8), 64, 1, targets=("sm89",))
    profile = {"x": ((2, 3), (4, 3), (8, 3))}
    written = replace(PORTABLE, options=options, profile=profile, metadata={"k": "v"})
    write_card(plan, written)
    assert read_card(plan) == written


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": 1}', '{"format": 1, "engine_sha256": "x", "surprise": 1}', "\x00"]
)
def test_a_card_that_is_none_is_refused_in_one_line(tmp_path, text):
    plan = tmp_path / "a.plan"
    card_path(plan).write_text(text)
    with pytest.raises(EngineRefused, match="cannot be read as an engine's card") as error:
        read_card(plan)
    assert "\n" not in str(error.value)


def test_a_missing_card_and_one_of_another_format_say_so(tmp_path):
    plan = tmp_path / "a.plan"
    with pytest.raises(EngineRefused, match=r"no a\.plan\.json beside it"):
        read_card(plan)
    card_path(plan).write_text('{"format": 7}')
    with pytest.raises(EngineRefused, match="format 7, this version reads 1"):
        read_card(plan)


def test_one_changed_byte_is_noticed(tmp_path):
    plan = tmp_path / "a.plan"
    plan.write_bytes(bytes(1000))
    described = replace(TUNED, engine_sha256=sha256(plan))
    assert read_plan(plan, described) == bytes(1000)
    plan.write_bytes(bytes(500) + b"\x01" + bytes(499))
    with pytest.raises(EngineRefused, match="sha256 differs"):
        read_plan(plan, described)
    plan.unlink()
    with pytest.raises(MicroauError, match="no such engine file"):
        read_plan(plan, described)


def test_a_card_cannot_name_a_file_elsewhere(tmp_path):
    plan = tmp_path / "a.plan"
    with pytest.raises(EngineRefused, match="outside its folder"):
        onnx_beside(plan, replace(TUNED, onnx="../secret.onnx"))
    with pytest.raises(EngineRefused, match=r"m\.onnx, which it was built from, is not beside it"):
        onnx_beside(plan, TUNED)
    (tmp_path / "m.onnx").write_bytes(b"another model")
    with pytest.raises(EngineRefused, match="not the file it was built from"):
        onnx_beside(plan, TUNED)
    known = replace(TUNED, onnx_sha256=sha256(tmp_path / "m.onnx"))
    assert onnx_beside(plan, known) == tmp_path / "m.onnx"


@pytest.mark.parametrize(
    ("card", "machine"),
    [
        (TUNED, H200),
        (tuned(version_compatible=True), replace(H200, version="11.4.0.1")),
        (tuned(hardware_compatible="same"), replace(H200, gpu="NVIDIA H100")),
        (tuned(hardware_compatible="ampere"), replace(H200, gpu="NVIDIA L4", compute_capability=(8, 9))),
        (PORTABLE, L4),
        (portable(precision="fp8"), L4),
        (portable(targets=("sm120", "sm89")), L4),
    ],
    ids=["same", "newer TensorRT", "same capability", "ampere on", "rtx", "rtx fp8", "rtx target"],
)
def test_an_engine_is_accepted_where_it_was_built_for(card, machine):
    check_fit(PLAN, card, machine)


@pytest.mark.parametrize(
    ("card", "change", "says"),
    [
        (TUNED, {"version": "10.12.0.37"}, "built by TensorRT 10.12.0.36, here is 10.12.0.37"),
        (TUNED, {"gpu": "NVIDIA L4"}, "built for NVIDIA H200, here is NVIDIA L4"),
        (TUNED, {"compute_capability": (9, 1)}, "compute capability 9.0, here is 9.1"),
        (tuned(version_compatible=True), {"version": "10.11.0.1"}, "10.12.0.36, here is 10.11.0.1"),
        (tuned(hardware_compatible="same"), {"compute_capability": (8, 9)}, "9.0, here is 8.9"),
        (
            tuned(hardware_compatible="ampere"),
            {"gpu": "NVIDIA T4", "compute_capability": (7, 5)},
            "here is NVIDIA T4",
        ),
    ],
)
def test_a_tuned_engine_is_refused_elsewhere_and_it_says_why(card, change, says):
    with pytest.raises(EngineRefused, match=says):
        check_fit(PLAN, card, replace(H200, **change))


@pytest.mark.parametrize(
    ("card", "change", "says"),
    [
        (PORTABLE, {"compute_capability": (7, 5)}, r"built for sm80 and newer, here is NVIDIA L4 \(sm75\)"),
        (portable(precision="fp8"), {"compute_capability": (8, 6)}, "built for sm89 and newer"),
        (portable(targets=("sm120",)), {}, "built for sm120, here is NVIDIA L4"),
        (PORTABLE, {"version": "1.8.0"}, "built by TensorRT-RTX 1.7.1.116, here is 1.8.0"),
        (
            replace(portable(targets=("current",)), compute_capability="12.0"),
            {},
            "compute capability 12.0, here is 8.9",
        ),
    ],
)
def test_a_portable_engine_is_refused_elsewhere_and_it_says_why(card, change, says):
    with pytest.raises(EngineRefused, match=says):
        check_fit(PLAN, card, replace(L4, **change))


def test_versions_are_compared_as_numbers():
    assert version_tuple("10.9.0.1") < version_tuple("10.12.0.36.post1") == (10, 12, 0, 36)
