"""Run the installed commands as a user does, in a process of their own."""

import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "samples" / "astronaut.mp4"
"""Five seconds of one face at 200 frames per second."""


def script(name):
    """Where the console script was installed."""
    return str(Path(sys.executable).parent / name)


def run(name, *arguments, timeout=120, **options):
    """Run to the end; stdout and stderr as text, neither of them a terminal."""
    command = [script(name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)
