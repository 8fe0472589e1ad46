"""How large a movement must be to be found, in times of the noise floor that the spotter measures.

    python -m microau.stream.candidates TRACKS > candidates.jsonl
    python benchmarks/sensitivity.py candidates.jsonl

Prints the multiple of the noise floor at which half, and nine of ten, are found (a logistic curve over the
logarithm of size over floor, by maximum likelihood). Then three Markdown tables: the share of the
micro-expressions that were found (IoU >= 0.5, at the usual score) by their size over the noise floor, and
by the noise floor itself; and precision and recall by compression. Then how far off the moments of those
that were found are, and what share of what is told with a score is right. `HALF_FOUND` in
`stream/sensitivity.py` is the first of these numbers.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microau.stream.spotting import SpotConfig
from microau.training.spot_clips import overlaps, read_clips, total

RATIOS = (0, 6, 8, 10, 12, 15, 18, 22, 27, 35, 1000)
CRFS = (0, 23, 29, 52)
SCORES = (0.3, 0.5, 0.6, 0.7, 0.9, 0.97, 1.01)
MOMENTS = ("onset", "apex", "offset")
FLOORS = (0, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 1)


@dataclass(frozen=True, slots=True)
class Movement:
    """A true micro-expression."""

    amplitude: float
    """Percent of OED."""
    noise: float
    """Floor of the clip, percent of OED."""
    crf: int
    found: bool


def movements(lines: Iterable[str]) -> Iterator[Movement]:
    """Those of every clip whose noise floor is known."""
    for row in map(json.loads, lines):
        told = [c for c in row["candidates"] if c["score"] >= SpotConfig().min_score]
        spans = np.array([(c["onset"], c["offset"]) for c in told]).reshape(-1, 2)
        for event in row["truth"].get("events", ()) if row["noise"] else ():
            if event["kind"] == "micro":
                true = np.array([(event["onset_s"], event["offset_s"])])
                found = bool(len(spans) and overlaps(spans, true).max() >= 0.5)
                yield Movement(event["amplitude"], row["noise"], row["truth"]["camera"]["crf"], found)


def fit(all: Sequence[Movement]) -> tuple[float, float]:
    """(multiple at which half are found, slope): found = 1 / (1 + (half / multiple)^slope)."""
    multiple = np.log([one.amplitude / one.noise for one in all])
    sign = np.where([one.found for one in all], 1.0, -1.0)
    halves, slopes = np.linspace(np.log(3), np.log(50), 200), np.linspace(1, 8, 71)
    score = sign * slopes[:, None, None] * (multiple - halves[:, None])  # (slopes, halves, n)
    s, h = np.unravel_index(np.logaddexp(0, -score).mean(axis=-1).argmin(), (len(slopes), len(halves)))
    return float(np.exp(halves[h])), float(slopes[s])


def table(title: str, edges: Sequence[float], values: Sequence[float], all: Sequence[Movement]) -> None:
    """A row for each bin: how many movements, their mean size, the median CRF, and the share found."""
    print(f"| {title} | movements | mean amplitude, % | median CRF | found |\n{'| --- ' * 5}|")
    for low, high in itertools.pairwise(edges):
        here = [one for one, value in zip(all, values, strict=True) if low <= value < high]
        if here:
            size = np.mean([one.amplitude for one in here])
            crf, share = np.median([one.crf for one in here]), np.mean([one.found for one in here])
            print(f"| {low:g} to {high:g} | {len(here)} | {size:.1f} | {crf:.0f} | {share:.2f} |")


def compressed(lines: Sequence[str], low: int, high: int) -> None:
    """Rows of the clips with events whose CRF is at least `low` and below `high`."""
    here = [line for line in lines if low <= json.loads(line)["truth"]["camera"]["crf"] < high]
    clips = [clip for clip in read_clips(here)[1] if len(clip.truth)] if here else []
    for amplitudes in ((1.5, 4.01), (0.8, 1.5)) if clips else ():
        told = total(clips, [c.score for c in clips], SpotConfig().min_score, amplitudes=amplitudes)
        size = f"{amplitudes[0]:g} to {amplitudes[1]:.2g}"
        print(
            f"| {low} to {high - 1} | {size} | {told.true} | {told.right} | {told.false} | {told.f1:.2f} |"
        )


def matched(lines: Iterable[str]) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Every candidate with the true movement that it overlaps by an IoU of at least 0.5, or None."""
    for row in map(json.loads, lines):
        micro = [event for event in row["truth"].get("events", ()) if event["kind"] == "micro"]
        true = np.array([(event["onset_s"], event["offset_s"]) for event in micro]).reshape(-1, 2)
        for candidate in row["candidates"]:
            shared = overlaps(np.array([(candidate["onset"], candidate["offset"])]), true)[0]
            hit = bool(len(micro)) and shared.max() >= 0.5
            yield candidate, micro[int(shared.argmax())] if hit else None


def moments_and_scores(lines: Iterable[str]) -> None:
    """The median error of each moment, and a row for each range of scores."""
    pairs = list(matched(lines))
    told = [(c, e) for c, e in pairs if e and c["score"] >= SpotConfig().min_score]
    errors = {m: 1000 * np.median([abs(c[m] - e[f"{m}_s"]) for c, e in told]) for m in MOMENTS}
    print("median error, ms: " + ", ".join(f"{name} {error:.0f}" for name, error in errors.items()))
    print("\n| score | candidates | right |\n| --- | --- | --- |")
    for low, high in itertools.pairwise(SCORES):
        right = [e is not None for c, e in pairs if low <= c["score"] < high]
        if right:
            print(f"| {low:g} to {min(high, 1):g} | {len(right)} | {np.mean(right):.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("candidates", type=Path, nargs="+", help="files of `microau.stream.candidates`")
    files = parser.parse_args().candidates
    lines = [line for file in files for line in file.read_text().splitlines()]
    all = list(movements(lines))
    half, slope = fit(all)
    most = half * 9 ** (1 / slope)
    print(f"{len(all)} movements: half found at {half:.1f} times the floor, 9 of 10 at {most:.0f}\n")
    table("amplitude over noise floor", RATIOS, [one.amplitude / one.noise for one in all], all)
    print()
    table("noise floor, %", FLOORS, [one.noise for one in all], all)
    print("\n| CRF | amplitude, % | true | found right | false | F1 |\n" + "| --- " * 6 + "|")
    for low, high in itertools.pairwise(CRFS):
        compressed(lines, low, high)
    print()
    moments_and_scores(lines)


if __name__ == "__main__":
    main()
