"""Make many clips on several processes; the same plan gives the same files, however many work on it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ...engine.errors import MicroauError
from .camera import DEFECTS, Camera, write_images, write_video
from .chance import CONFOUNDS, Excerpts, random_scenario
from .clip import render
from .curves import load_recording
from .people import Person, ict_people, photo_people, sculpted_motion, sparse_motion
from .truth import ClipTruth, write_json, write_labels

ALL = (*CONFOUNDS, *DEFECTS)
"""Everything that can be switched on or off by name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made."""

    out: Path
    photos: Path | None = None
    """Folder of photographs."""
    face3d: Path | None = None
    """ICT-FaceKit as one .npz. With photographs too: these move as the 3D face does."""
    sparse: bool = False
    """Photographs move by a few landmarks with the skin around them, not by the anatomical fields."""
    persons: int = 4
    clips: int = 8
    seconds: float = 6.0
    events: tuple[int, int] = (1, 3)
    """Fewest and most micro-expressions of a clip; (0, 0): none."""
    amplitude: tuple[float, float] = (0.8, 4.0)
    """Percent OED of the most moved landmark."""
    fps: tuple[float, ...] = (200.0,)
    """One of them for each clip."""
    size: tuple[int, int] = (640, 480)
    confounds: tuple[str, ...] = ALL
    curves: Path | None = None
    """Recorded blendshape curves (CSV) that some movements follow, or None."""
    images: bool = False
    """JPEG sequences in CASME II's folders instead of videos."""
    seed: int = 0
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)

    def __post_init__(self) -> None:
        if self.photos is None and self.face3d is None:
            raise MicroauError("nobody to move: give a folder of photographs or the 3D face's file")
        for name in ("persons", "clips", "workers"):
            if getattr(self, name) < 1:
                raise MicroauError(f"{name} is {getattr(self, name)}: give 1 or more")
        if not 1.0 <= self.seconds <= 600:
            raise MicroauError(f"seconds is {self.seconds}: give 1 to 600")
        if not 0 <= self.events[0] <= self.events[1]:
            raise MicroauError(f"events is {self.events}: give the fewest and the most of a clip")
        if not 0 < self.amplitude[0] <= self.amplitude[1] <= 20:
            raise MicroauError(f"amplitude is {self.amplitude}: give two rising percentages up to 20")
        if not self.fps or not all(5 <= rate <= 1000 for rate in self.fps):
            raise MicroauError(f"fps is {self.fps}: give 5 to 1000")
        if any(side < 64 or side % 2 for side in self.size):
            raise MicroauError(f"size is {self.size[0]}x{self.size[1]}: give even numbers from 64 on")
        unknown = sorted(set(self.confounds) - set(ALL))
        if unknown:
            raise MicroauError(f"confound {unknown[0]} is not known; there are {', '.join(ALL)}")

    def people(self) -> list[Person]:
        """The cast; an error where a photograph shows no face or the file is something else."""
        photos = photo_people(self.photos, limit=self.persons) if self.photos else []
        models = ict_people(self.face3d, self.persons, self.seed) if self.face3d else []
        if photos and models:
            return [sculpted_motion(*both) for both in zip(photos, models, strict=False)]
        if self.sparse:
            return [sparse_motion(person) for person in photos]
        return photos or models

    def recorded(self) -> Excerpts | None:
        """Courses from the recorded curves."""
        return load_recording(self.curves).excerpt if self.curves else None


def produce(plan: Plan) -> Iterator[int]:
    """Make every clip, and yield the number of each when it is done; then write the table of labels.

    Stopped early it is written too, for the clips that are done.
    """
    _prepare(plan)
    rows: dict[int, list[dict[str, str | int]]] = {}
    try:
        for index, made in _each(plan):
            rows[index] = made
            yield index
    finally:
        name = "CASME2-coding-generated.csv" if plan.images else "labels.csv"
        write_labels(plan.out / name, [row for index in sorted(rows) for row in rows[index]])


def _prepare(plan: Plan) -> None:
    if plan.out.exists() and (not plan.out.is_dir() or any(plan.out.iterdir())):
        raise MicroauError(f"{plan.out}: is there and not empty. Give a new folder, or remove it")
    _cast(plan), _recorded(plan)  # mistakes show here, before anything is written
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MicroauError(f"{plan.out}: cannot be made ({error.strerror})") from None


def _each(plan: Plan) -> Iterator[tuple[int, list[dict[str, str | int]]]]:
    if plan.workers == 1:
        for index in range(plan.clips):
            yield index, make_clip(plan, index)
        return
    # Fresh processes: forked ones would inherit the threads of numerical libraries in any state.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(plan.workers, plan.clips), mp_context=context, initializer=_start_worker)
    try:
        jobs = {pool.submit(make_clip, plan, index): index for index in range(plan.clips)}
        for job in as_completed(jobs):
            yield jobs[job], job.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """One thread each; Ctrl-C is the parent's, which lets the clips at hand be finished."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@lru_cache(maxsize=1)
def _cast(plan: Plan) -> list[Person]:
    return plan.people()


@lru_cache(maxsize=1)
def _recorded(plan: Plan) -> Excerpts | None:
    return plan.recorded()


def make_clip(plan: Plan, index: int) -> list[dict[str, str | int]]:
    """Make the clip of that number; the rows of the label table that belong to it."""
    people = _cast(plan)
    number = index % len(people)
    person, rng = people[number], np.random.default_rng([plan.seed, index])
    rate = plan.fps[int(rng.integers(len(plan.fps)))]
    camera = Camera.random(rng, rate, plan.size, plan.confounds)
    face = person.build(round(camera.oed), False)
    scenario = random_scenario(
        rng,
        face.fields,
        plan.seconds,
        events=int(rng.integers(plan.events[0], plan.events[1] + 1)),
        amplitude=plan.amplitude,
        confounds=plan.confounds,
        recorded=_recorded(plan),
    )
    shots = camera.shots(plan.seconds, rng)
    subject, take = f"sub{number + 1:02d}", f"EP{index // len(people) + 1:02d}_{number + 1:02d}"
    video = f"{take}" if plan.images else f"{subject}_{take}.mp4"
    truth = ClipTruth(video, subject, person.name, person.geometry, scenario, camera, shots, plan.seed)
    try:
        _write(plan, truth, render(scenario, face, camera, shots, rng))
    except OSError as error:
        raise MicroauError(f"{plan.out}: cannot be written ({error.strerror})") from None
    return truth.labels(first=1 if plan.images else 0)


def _write(plan: Plan, truth: ClipTruth, frames: Iterator[tuple[float, np.ndarray]]) -> None:
    """The pictures first, under a passing name: a clip with its truth beside it is whole."""
    if plan.images:
        folder = plan.out / "CASME2-RAW" / truth.subject
        write_images(folder / truth.video, frames)
        write_json(folder / f"{truth.video}.truth.json", truth.record())
        return
    folder = plan.out / "videos"
    folder.mkdir(exist_ok=True)
    partial = folder / f"{truth.video}.partial.mp4"
    write_video(partial, frames, truth.camera.size, truth.camera.fps, truth.camera.crf)
    partial.rename(folder / truth.video)
    write_json((folder / truth.video).with_suffix(".truth.json"), truth.record())
