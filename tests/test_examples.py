"""The examples in docstrings are run, and the documents name everything that is written."""

import doctest
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from commands import SAMPLE

from microau.stream.cli import build_parser
from microau.stream.columns import EVENT_COLUMNS, FRAME_COLUMNS, names
from microau.stream.events import FLAGS

ROOT = Path(__file__).parents[1]
ROOMS = ("engine", "stream", "training", "export")
WITH_EXAMPLES = [
    path.relative_to(ROOT)
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples_are_true(path):
    module = import_module(".".join(["microau", *path.with_suffix("").parts]))
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("name", [*names(EVENT_COLUMNS), *names(FRAME_COLUMNS), *FLAGS])
def test_what_is_written_is_documented(name):
    assert f"`{name}`" in (ROOT / "docs" / "output.md").read_text(encoding="utf-8")


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readmes_python_runs_as_it_stands(tmp_path):
    (script,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "interview.mp4").symlink_to(SAMPLE)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"(\d+\.\d+ \S+ 0\.\d+ \(.*\)\n){4}", done.stdout)


@pytest.mark.parametrize("line", re.findall(r"^microau-stream ([^#|\n]*)", README, re.MULTILINE))
def test_the_readmes_commands_have_the_options_that_they_show(line):
    arguments = build_parser().parse_args(shlex.split(line))
    assert (arguments.input is None) != (arguments.camera is None)
