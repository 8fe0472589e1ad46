"""The V4L2 driver that the camera tests play: built from C, loaded before the C library."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "data" / "fake_v4l2.c"
BUFFERS = 640 * 480 * 2 * 32
"""Bytes that the driver's mapped buffers may take."""


def built(folder: Path) -> Path:
    """The driver as a library in `folder`; skips where it cannot be built."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("the fake V4L2 driver needs Linux and a C compiler")
    library = folder / "fake.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library
