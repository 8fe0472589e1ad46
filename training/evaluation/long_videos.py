"""A data set's own videos and labels as clips to spot in: CAS(ME)^2, SAMM Long Videos, one's own folder.

Frames of a result count from 0 in the order of the pictures; labels use the numbers in their names. A
movement whose offset is not known ends at its apex, as in the challenge; its picture must be there.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from ..datasets.emotions import emotion_class
from ..datasets.frames import Frames
from ..datasets.sample import Loaded, Sample
from .files import TrueClip
from .spotting import Clip, Confound, Movement


def dataset_clips(loaded: Loaded) -> list[TrueClip]:
    """One clip per video that holds a movement; macro-expressions are confounds."""
    videos: dict[Path, list[Sample]] = {}
    for sample in loaded.samples:
        videos.setdefault(sample.frames.path, []).append(sample)
    return [TrueClip(path, _clip(samples)) for path, samples in videos.items()]


def _clip(samples: Sequence[Sample]) -> Clip:
    first = samples[0]
    frames, rate = first.frames, 1.0 if math.isnan(first.rate) else first.rate
    return Clip(
        name=f"{first.subject}_{first.clip.replace('/', '_')}",
        subject=first.subject,
        rate=rate,
        duration_s=len(frames.numbers) / rate,
        truth=tuple(_movement(s, frames, rate) for s in samples if s.kind == "micro"),
        confounds=tuple(_macro(s, frames, rate) for s in samples if s.kind == "macro"),
    )


def _movement(sample: Sample, frames: Frames, rate: float) -> Movement:
    onset = place(frames, sample.onset)
    apex = onset if sample.apex is None else place(frames, sample.apex)
    offset = apex if sample.offset is None else place(frames, sample.offset)
    return Movement(
        onset,
        apex,
        offset,
        onset / rate,
        apex / rate,
        offset / rate,
        units=tuple(f"{u.side if u.side in ('L', 'R') else ''}{u.au}" for u in sample.aus.units),
        emotion=emotion_class("three", sample.dataset, sample.emotion) or "other",
    )


def _macro(sample: Sample, frames: Frames, rate: float) -> Confound:
    last = next(n for n in (sample.offset, sample.apex, sample.onset) if n is not None)
    return Confound("macro", place(frames, sample.onset) / rate, place(frames, last) / rate)


def place(frames: Frames, number: int) -> int:
    """Position of a frame among those that are there; of the last one before it where it is missing."""
    return max(bisect_right(frames.numbers, number) - 1, 0)
