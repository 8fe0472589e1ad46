"""Run `microau-stream` over many clips at once, each in a process of its own, as a user would.

The public command is what is measured: what it writes is what a user gets. It is started as a
process because `training` imports nothing of `stream`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ...engine.errors import MicroauError

COMMAND = "microau-stream"


def stream_command() -> str:
    """The command of this very installation, not another one on the PATH."""
    command = Path(sys.executable).with_name(COMMAND)
    if not command.exists():
        raise MicroauError(f"{command}: no such command; install the package first: pip install .")
    return str(command)


@dataclass(frozen=True, slots=True)
class Job:
    """One run."""

    video: Path
    """A video file, or a folder of pictures."""
    rate: float
    """Frames per second; a folder of pictures does not say it itself."""
    out: Path


def run_all(jobs: Iterable[Job], workers: int, options: Sequence[str] = ()) -> Iterator[Job]:
    """Run `workers` jobs at a time; gives each back when it is done.

    options  further arguments of `microau-stream`, the same for every clip
    """
    command = stream_command()
    with ThreadPoolExecutor(workers) as pool:
        todo = [(job, pool.submit(_run, command, job, options)) for job in jobs]
        try:
            for job, done in todo:
                done.result()
                yield job
        finally:
            for _, waiting in todo:
                waiting.cancel()


def _run(command: str, job: Job, options: Sequence[str]) -> None:
    job.out.parent.mkdir(parents=True, exist_ok=True)
    rate = ["--fps", f"{job.rate:g}"] if job.video.is_dir() else []
    # One thread each: the clips run side by side.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    arguments = [command, str(job.video), "--out", str(job.out), "--quiet", *rate, *options]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise MicroauError(f"{COMMAND} failed on {job.video} with status {done.returncode}: {last[0]}")
