"""The live window: it opens where there is a screen, says so where there is none, and q ends the run."""

import os
import shutil
import subprocess
import sys

import pytest
from commands import SAMPLE, script

from microau.engine.errors import MicroauError
from microau.stream.view import check_display


@pytest.fixture
def screen():
    """The name of a display on a virtual screen."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb, a screen without hardware (Debian: xvfb)")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        yield f":{number}"
        server.terminate()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a screen")
@pytest.mark.parametrize("display", [None, ":4711"])
def test_without_a_screen_it_says_so_before_anything_starts(monkeypatch, display):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(MicroauError, match="no window can be opened here"):
        check_display()


def test_with_a_screen_it_may_start(monkeypatch, screen):
    monkeypatch.setenv("DISPLAY", screen)
    check_display()


def test_q_closes_the_window_and_ends_the_run_well(screen, tmp_path, tiny_bundle):
    try:
        import x_keys
    except OSError as error:
        pytest.skip(f"no library to press keys with: {error}")
    out = tmp_path / "results"
    command = [script("microau-stream"), SAMPLE, "--view", "--model", tiny_bundle, "--out", out]
    env = {**os.environ, "DISPLAY": screen}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=env, **pipes) as run:
        pressed = x_keys.press(screen, "microau - ", "q", patience_s=60)
        said = run.stderr.read()
    assert pressed, said
    assert run.returncode == 0, said
    assert "Qt" not in said
    assert '"ending": "window closed"' in (out / "run.json").read_text()
