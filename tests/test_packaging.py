"""The rooms of the house: every folder is packaged, and imports run one way only."""

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = ("engine", "stream", "training", "export")
MAY_USE = {
    "engine": {"engine"},
    "stream": {"stream", "engine"},
    "training": {"training", "engine"},
    "export": {"export", "training", "engine"},
}
TORCH = {"torch", "torchvision", "open_clip"}
TORCH_BACK_END = {"engine/engines/torch.py", "engine/engines/onnx_torch.py", "engine/torch_graphs.py"}
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def name(path):
    return path.relative_to(ROOT).as_posix()


def imports(path):
    """(level, dotted name) of every import of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def test_every_folder_with_code_is_packaged():
    folders = {"microau." + path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in FILES}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == {"microau"} | folders


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_room_uses_only_the_rooms_below_it(path):
    parts = path.relative_to(ROOT).parts
    for level, module in imports(path):
        if level > len(parts) - 1:  # above its own room
            assert module.split(".")[0] in MAY_USE[parts[0]] | {""}, module


@pytest.mark.parametrize("path", [p for p in FILES if name(p) != "export/build_trt.py"], ids=name)
def test_inside_the_package_imports_are_relative(path):
    assert not [
        module for level, module in imports(path) if not level and module.split(".")[0] == "microau"
    ]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_torch_stays_out_of_the_runtime(path):
    if path.relative_to(ROOT).parts[0] in ("engine", "stream") and name(path) not in TORCH_BACK_END:
        assert not [
            module for level, module in imports(path) if not level and module.split(".")[0] in TORCH
        ]


HEAVY = (
    "torch",
    "scipy",
    "skimage",
    "sklearn",
    "onnx",
    "pandas",
    "polars",
    "matplotlib",
    "safetensors",
    "openpyxl",
)


def test_the_runtime_needs_nothing_but_its_dependencies(tmp_path):
    """The command on a machine that has none of the extras."""
    blocked = "; ".join(f"sys.modules['{module}'] = None" for module in HEAVY)
    code = f"import sys; {blocked}; from microau.stream.cli import main; sys.exit(main(sys.argv[1:]))"
    cold = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "numba")}  # compiled anew: compiling needs more
    command = [
        sys.executable,
        "-c",
        code,
        str(ROOT / "samples" / "astronaut.mp4"),
        "--quiet",
        "--end",
        "2.3",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=cold)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["aus"] == "12"
