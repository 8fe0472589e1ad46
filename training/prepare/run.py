"""Prepare every sample of a data set, on several processes, and go on where a run was stopped."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2

from ...engine.errors import MicroauError
from ..datasets.frames import open_frames
from ..datasets.guard import picture_hash
from ..datasets.sample import Loaded, Sample
from .cache import content_name, entry_of, write_arrays, write_index
from .config import PrepareConfig
from .pair import Preparer


@dataclass(frozen=True, slots=True)
class Job:
    """What a process needs to know of one sample."""

    frames: Path
    onset: int
    apex: int
    offset: int | None
    """Hashed with the two others, where its picture is there."""
    folder: Path
    config: PrepareConfig


@dataclass(frozen=True, slots=True)
class Done:
    """One sample is through."""

    sample: Sample
    number: int
    """From 1."""
    total: int
    fresh: bool
    """False: it was there already."""
    why: str = ""
    """'' or why it failed."""


def prepare(loaded: Loaded, out: Path, config: PrepareConfig, workers: int) -> Iterator[Done]:
    """Prepare a data set below `out`; one report per sample, in order. The index is written at the end.

    The folder is `cache_folder(loaded.dataset, out, config)`.
    """
    folder = cache_folder(loaded.dataset, out, config)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(sample, _apex(sample, config)) for sample in loaded.samples]
    entries, failed = [], {}
    for number, ((sample, apex), result) in enumerate(_each(jobs, folder, config, workers), 1):
        if result.why or apex is None:
            failed[sample.key] = result.why
        else:
            entries.append(entry_of(sample, apex, result.file, result.pictures))
        yield Done(sample, number, len(jobs), result.fresh, result.why)
    write_index(folder, config.record(), entries, failed)


def cache_folder(dataset: str, out: Path, config: PrepareConfig) -> Path:
    """Where a data set lies that was prepared with these settings."""
    return out / f"{dataset}-{config.key()}"


def _apex(sample: Sample, config: PrepareConfig) -> int | None:
    """The coded apex, or the frame in the middle where that was asked; None: there is none."""
    if sample.apex is not None or config.missing_apex == "skip" or sample.offset is None:
        return sample.apex
    inside = [n for n in sample.frames.numbers if sample.onset < n <= sample.offset]
    middle = (sample.onset + sample.offset) / 2
    return min(inside, key=lambda n: abs(n - middle)) if inside else None


@dataclass(frozen=True, slots=True)
class Result:
    """What a process gives back."""

    file: str = ""
    pictures: tuple[str, ...] = ()
    fresh: bool = False
    why: str = ""


NO_APEX = Result(why="no apex; --missing-apex middle would take the frame in the middle")

Task = tuple[Sample, int | None]


def _each(
    tasks: Sequence[Task], folder: Path, config: PrepareConfig, workers: int
) -> Iterator[tuple[Task, Result]]:
    jobs = [_job(sample, apex, folder, config) for sample, apex in tasks]
    if workers == 1:
        yield from zip(tasks, map(_prepared, jobs), strict=True)
        return
    context = multiprocessing.get_context("spawn")  # forked processes inherit threads in any state
    with ProcessPoolExecutor(workers, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        try:
            yield from zip(tasks, pool.map(_prepared, jobs), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _job(sample: Sample, apex: int | None, folder: Path, config: PrepareConfig) -> Job | None:
    offset = sample.offset if sample.offset is not None and sample.offset in sample.frames else None
    return Job(sample.frames.path, sample.onset, apex, offset, folder, config) if apex is not None else None


def _prepared(job: Job | None) -> Result:
    """In a process of its own: read, prepare, write."""
    if job is None:
        return NO_APEX
    try:
        moments = [job.onset, job.apex, *([job.offset] if job.offset is not None else [])]
        pictures = _frames(job.frames).read(set(moments))
        hashes = tuple(picture_hash(pictures[moment]) for moment in moments)
        path = job.folder / content_name(hashes[:2])
        if path.exists():
            return Result(path.name, hashes)
        write_arrays(path, _preparer(job.config)(pictures[job.onset], pictures[job.apex]))
    except MicroauError as error:
        return Result(why=str(error))
    return Result(path.name, hashes, fresh=True)


_frames = lru_cache(maxsize=8)(open_frames)
_preparer = lru_cache(maxsize=1)(Preparer)
