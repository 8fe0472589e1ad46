"""What H.264 leaves of small movements: one face, one act, one camera, compressed more and more.

    python benchmarks/compression.py --photos london/neutral_front --picture docs/pictures/compression.png

Prints a row of a Markdown table for each CRF: the spotter's noise floor, how many of the movements it
found, and how much of each movement's size was left. The picture shows one region's way.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from microau.engine.motion import Motion
from microau.stream.candidates import collect
from microau.stream.rating import rater
from microau.stream.spotting import SpotConfig
from microau.training.motion_tracks import Plan, gather, make
from microau.training.spot_clips import overlaps

CRFS = (12, 18, 23, 26, 29, 32)
AROUND_S = 0.35
"""Seconds before and after a movement that are drawn."""


@dataclass(frozen=True, slots=True)
class Act:
    """One clip at one compression."""

    crf: int
    motions: list[Motion]
    events: list[dict[str, Any]]
    """True micro-expressions."""

    @property
    def time(self) -> NDArray[np.float64]:
        return np.array([motion.time for motion in self.motions])

    def way(self, event: dict[str, Any]) -> NDArray[np.float32]:
        """(n, K, 2) where the regions are, from where they were at the onset, percent of OED."""
        shift = np.stack([motion.shift for motion in self.motions])
        return np.asarray(shift - self._around(shift, event["onset_s"]), np.float32)

    def reached(self, event: dict[str, Any]) -> NDArray[np.float32]:
        """(K, 2) where they are at the apex."""
        return self._around(self.way(event), event["apex_s"])

    def _around(self, values: NDArray[np.float32], moment: float) -> NDArray[np.float32]:
        return np.asarray(values[np.abs(self.time - moment) <= 0.011].mean(axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    plan = Plan(
        options.photos, None, "B", options.clips, (200.0,), 6.0, 3, (1.5, 4.0), ("blink", "gaze", "sway"),
        None, 7,
    )  # fmt: skip
    cast = gather(plan)
    print("| CRF | noise floor, % | found | left of the movement, median |\n| --- | --- | --- | --- |")
    acts = {}
    for crf in CRFS:
        pairs = [make(replace(plan, crf=(crf, crf)), cast, number) for number in range(plan.clips)]
        acts[crf] = [
            Act(crf, motions, [e for e in truth["events"] if e["kind"] == "micro"])
            for motions, truth in pairs
        ]
        print(row(crf, acts[crf], acts[CRFS[0]]), flush=True)
    if options.picture:
        draw(acts).savefig(options.picture, dpi=80)


def row(crf: int, acts: list[Act], best: list[Act]) -> str:
    """A line of the table."""
    noise, right = [], []
    left = []
    score = rater(SpotConfig().scorer, SpotConfig().limits)
    for act, clear in zip(acts, best, strict=True):
        spotter = collect(act.motions, SpotConfig())
        noise.append(spotter.noise)
        told = [c.span for c in spotter.candidates if score(c) >= SpotConfig().min_score]
        spans = np.array([(span.onset, span.offset) for span in told]).reshape(-1, 2)
        for event in act.events:
            true = np.array([(event["onset_s"], event["offset_s"])])
            right.append(bool(len(spans) and overlaps(spans, true).max() >= 0.5))
            left.append(share(act.reached(event), clear.reached(event)))
    return f"| {crf} | {np.median(noise):.2f} | {sum(right)} of {len(right)} | {np.median(left):.2f} |"


def share(now: NDArray[np.float32], clear: NDArray[np.float32]) -> float:
    """How much of a movement (K, 2) is left, along the one in the clear picture, regions by its size."""
    return float((now * clear).sum() / (clear**2).sum())


def draw(acts: dict[int, list[Act]]) -> Figure:
    """Three movements, the region of each that moves most, at every CRF."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    for axes, number in zip(figure.subplots(1, 3), range(3), strict=True):
        event = acts[CRFS[0]][number].events[0]
        clear = acts[CRFS[0]][number].reached(event)
        region = int(np.hypot(*clear.T).argmax())
        direction = clear[region] / np.hypot(*clear[region])
        for line, crf in enumerate(CRFS):
            act = acts[crf][number]
            course = act.way(event)[:, region] @ direction
            near = (act.time > event["onset_s"] - AROUND_S) & (act.time < event["offset_s"] + AROUND_S)
            axes.plot(act.time[near], course[near] - 3 * line, lw=1, color="black")
            axes.text(act.time[near][0], 0.3 - 3 * line, f"CRF {crf}", fontsize=9)
        axes.axvspan(event["onset_s"], event["offset_s"], color="tab:blue", alpha=0.15)
        axes.set_title(f"AU{'+'.join(event['aus'])}, {event['amplitude']:.1f} %", fontsize=10)
        axes.set_xlabel("seconds")
        axes.set_yticks([])
    figure.supylabel("displacement of the region that moves most (between lines: 3 % of the eye distance)")
    return figure


if __name__ == "__main__":
    main()
