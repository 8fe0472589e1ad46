"""The examples in docstrings are run, and the documents name everything that is written."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

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
