"""Clips with their candidates: what is true, what a score would tell of them, and how that is counted.

in    lines of `microau.stream.candidates`
out   `Clip`, `Counts` at a threshold, a table as text
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import MicroauError
from ..engine.scorer import unexplained

Floats = NDArray[np.float64]

RIGHT = 0.5
"""IoU with a true movement from which a candidate is right."""
BINS = ((0.8, 1.5), (1.5, 4.01))
"""Percent of the eye distance: rows of the table."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One clip with its candidates."""

    name: str
    person: str
    geometry: str
    rate: float
    minutes: float
    truth: Floats
    """(M, 2) onset and offset in seconds."""
    amplitude: Floats
    """(M,) percent of the eye distance; NaN where nobody knows."""
    spans: Floats
    """(N, 2) the same of the candidates, in the order of decision."""
    features: Floats
    """(N, F)."""
    unexplained: Floats
    """(N,) what `scorer.unexplained` says of them: a learned score is a probability times this."""
    judged: Floats
    """(N,) score of the training-free rating."""
    score: Floats
    """(N,) score of the scorer that the lines were made with."""

    @property
    def overlap(self) -> Floats:
        """(N,) largest IoU of each candidate with a true movement."""
        if not len(self.truth) or not len(self.spans):
            return np.zeros(len(self.spans))
        return np.asarray(overlaps(self.spans, self.truth).max(axis=1), np.float64)


def overlaps(found: Floats, true: Floats) -> Floats:
    """(N, M) intersection over union of spans in seconds."""
    low = np.maximum(found[:, None, 0], true[None, :, 0])
    both = np.clip(np.minimum(found[:, None, 1], true[None, :, 1]) - low, 0, None)
    either = np.ptp(found, axis=1)[:, None] + np.ptp(true, axis=1)[None] - both
    return np.asarray(both / np.maximum(either, 1e-9), np.float64)


def read_clips(lines: Iterable[str]) -> tuple[tuple[str, ...], list[Clip]]:
    """Names of the features (none where there is no candidate), and the clips.

    Raises MicroauError where a line is no clip, or its truth lacks what must be known.
    """
    records = [_record(line) for line in lines]
    names = next((tuple(c["features"]) for r in records for c in r["candidates"]), ())
    return names, [_checked(record, names) for record in records]


def _record(line: str) -> dict[str, Any]:
    try:
        record = dict(json.loads(line))
        record["clip"], record["candidates"], record["truth"]
    except (ValueError, KeyError, TypeError):
        raise MicroauError(f"no line of microau.stream.candidates: {line[:40]!r}") from None
    return record


def _checked(record: dict[str, Any], names: tuple[str, ...]) -> Clip:
    try:
        return _clip(record, names)
    except KeyError as error:
        raise MicroauError(f"{record['clip']}: truth or candidates do not say {error}") from None


def _clip(record: dict[str, Any], names: tuple[str, ...]) -> Clip:
    truth, rows = record["truth"], record["candidates"]
    judged = np.array([c["judged"] for c in rows], float)
    measured = np.array([[c["features"][n] for n in names] for c in rows], float)
    micros = [event for event in truth.get("events", ()) if event["kind"] == "micro"]
    return Clip(
        record["clip"],
        str(truth["person"] if micros else truth.get("person", record["clip"])),
        str(truth.get("geometry", "real")),
        float(truth.get("fps", 25.0)),
        record["seconds"] / 60,
        np.array([(e["onset_s"], e["offset_s"]) for e in micros], float).reshape(-1, 2),
        np.array([e.get("amplitude", np.nan) for e in micros], float),
        np.array([(c["onset"], c["offset"]) for c in rows], float).reshape(-1, 2),
        measured.reshape(len(rows), len(names)),
        np.array([unexplained(c["features"]) for c in rows], float),
        judged,
        np.array([c["score"] for c in rows], float),
    )


def photographed(clip: Clip) -> str:
    """Whose photograph moves: the person without the sculpted shapes that move it."""
    return clip.person.partition("+")[0]


def reported(clip: Clip, scores: Floats, least: float) -> NDArray[np.intp]:
    """Numbers of the candidates that a spotter reports: the best of those that overlap, in time order."""
    kept: list[int] = []
    for k in np.argsort(-scores):
        if scores[k] < least:
            break
        if all(clip.spans[k, 1] <= clip.spans[j, 0] or clip.spans[k, 0] >= clip.spans[j, 1] for j in kept):
            kept.append(int(k))
    return np.array(sorted(kept), np.intp)


@dataclass(frozen=True, slots=True)
class Counts:
    """Found movements against true ones."""

    true: int = 0
    right: int = 0
    false: int = 0
    minutes: float = 0.0

    @property
    def f1(self) -> float:
        whole = self.true + self.right + self.false
        return 2 * self.right / whole if whole else float("nan")

    @property
    def alarms(self) -> float:
        return self.false / self.minutes if self.minutes else float("nan")

    def plus(self, other: Counts) -> Counts:
        return Counts(
            self.true + other.true, self.right + other.right, self.false + other.false,
            self.minutes + other.minutes,
        )  # fmt: skip


def count(
    clip: Clip, scores: Floats, least: float, amplitudes: tuple[float, float] = (0, np.inf)
) -> Counts:
    """One clip at a threshold. With a range of amplitudes only true movements in it count; a false alarm
    belongs to the range of the true movement nearest to it.
    """
    chosen = reported(clip, scores, least)
    anything = amplitudes == (0, np.inf)  # also where nobody knows how far it moved
    inside = anything | (clip.amplitude >= amplitudes[0]) & (clip.amplitude < amplitudes[1])
    if not len(clip.truth):
        whole = amplitudes[1] == np.inf
        return Counts(0, 0, len(chosen) if whole else 0, clip.minutes)
    table = overlaps(clip.spans[chosen], clip.truth) >= RIGHT
    right = inside & table.any(axis=0)
    middles = clip.spans[chosen].mean(axis=1)[:, None]
    nearest = np.abs(middles - clip.truth.mean(axis=1)[None]).argmin(axis=1)
    false = ~table.any(axis=1) & inside[nearest]
    return Counts(int(inside.sum()), int(right.sum()), int(false.sum()), clip.minutes)


def total(clips: Sequence[Clip], scores: Sequence[Floats], least: float, **options: Any) -> Counts:
    """All clips together."""
    whole = Counts()
    for clip, values in zip(clips, scores, strict=True):
        whole = whole.plus(count(clip, values, least, **options))
    return whole


def table(clips: Sequence[Clip], rows: dict[str, tuple[Sequence[Floats], float]]) -> str:
    """Text: one line a scorer and group of clips."""
    groups: dict[str, Callable[[Clip], bool]] = {
        "all": lambda c: True,
        "200 fps": lambda c: c.rate >= 150,
        "under 150 fps": lambda c: c.rate < 150 and c.geometry != "real",
        "event-free": lambda c: not len(c.truth) and c.geometry != "real",
        "real": lambda c: c.geometry == "real",
    }
    lines = [f"{'':34}{'true':>6}{'right':>7}{'false':>7}{'F1':>7}{'false/min':>11}"]
    for name, (scores, least) in rows.items():
        for group, belongs in groups.items():
            chosen = [k for k, clip in enumerate(clips) if belongs(clip)]
            some = [clips[k] for k in chosen], [scores[k] for k in chosen]
            bins = [(0, np.inf), *(BINS if group == "200 fps" else ())]
            for low, high in bins if chosen else ():
                c = total(*some, least, amplitudes=(low, high))
                label = f"{name}, {group}" + (f" {low:g}-{high:.3g} %" if high < np.inf else "")
                rate = f"{c.alarms:11.2f}" if high == np.inf else " " * 11
                lines.append(f"{label:34}{c.true:6}{c.right:7}{c.false:7}{c.f1:7.3f}{rate}")
    return "\n".join(lines)
